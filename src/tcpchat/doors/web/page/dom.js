// Small help with the DOM: elements, text that came from others, what this browser keeps.
import { t } from "./words.js";

/** @type {(id: string) => any} */
export const $ = (id) => document.getElementById(id);

/**
 * h("p.text", { dir: "auto" }, ...) makes an element; strings become text, never markup.
 *
 * @param {string} name of the element, with its classes
 * @param {Record<string, any> | null} [props] properties, and attributes where there is no such property
 * @param {...any} children what is falsy is left out
 * @returns {any}
 */
export function h(name, props, ...children) {
  const [tag, ...classes] = name.split(".");
  const el = document.createElement(tag);
  if (classes[0]) {
    el.className = classes.join(" ");
  }
  for (const [key, value] of Object.entries(props || {})) {
    if (key in el) {
      el[key] = value;
    } else {
      el.setAttribute(key, value);
    }
  }
  el.append(...children.filter((child) => child));
  return el;
}
export const button = (word, onclick) => h("button", { type: "button", onclick }, t(word));

// Controls except newline and tab, bidi overrides and invisible characters.
const UNSEEN = /(?![\n\t])\p{Cc}|[\u061c\u200b\u200e\u200f\u202a-\u202e\u2060-\u2069\ufeff]/gu;

/**
 * A text of others as the screen may show it: newlines (in any system's spelling) and tabs stay.
 *
 * @param {string} text
 */
export const clean = (text) =>
  text
    .replace(/^\ufeff/, "")
    .replace(/\r\n?/g, "\n")
    .replace(UNSEEN, "\ufffd");
export const name = (login) => h("bdi", null, clean(login));
export const clock = (at) =>
  new Date(at).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", hourCycle: "h23" });

/**
 * The pieces of a text, with links where it has addresses.
 *
 * @param {string} text
 */
export function linked(text) {
  const parts = text.split(/(\bhttps?:\/\/[^\s<>"']+[^\s<>"'.,;:!?)\]])/);
  return parts.map((part, i) =>
    i % 2 ? h("a", { href: part, target: "_blank", rel: "noopener noreferrer" }, part) : part,
  );
}

// Storage of the browser and of the window; a private window may have none: then it lives as long
// as the page.
/** @param {"localStorage" | "sessionStorage"} kind */
const guarded = (kind) => ({
  get(key) {
    try {
      return window[kind].getItem(`tcpchat.${key}`) || "";
    } catch {
      return "";
    }
  },
  set(key, value) {
    try {
      window[kind].setItem(`tcpchat.${key}`, value);
    } catch {}
  },
});
export const browser = guarded("localStorage");
export const tab = guarded("sessionStorage");
