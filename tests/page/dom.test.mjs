import assert from "node:assert/strict";
import { test } from "node:test";
import { install, provide } from "./browser.mjs";

install();
/** As much of an element as h() makes use of. */
const element = (tag) => ({
  tag,
  className: "",
  href: "",
  children: [],
  attributes: {},
  append(...children) {
    this.children.push(...children);
  },
  setAttribute(name, value) {
    this.attributes[name] = value;
  },
});
provide("document", { createElement: element });
const { browser, clean, clock, h, linked } = await import(
  "../../src/tcpchat/doors/web/page/dom.js"
);

test("controls, bidi overrides and invisible characters are shown as such", () => {
  assert.equal(clean("a\x1b[31mb"), "a\ufffd[31mb");
  assert.equal(clean("a\0\x07\x7f\x9fb"), "a\ufffd\ufffd\ufffd\ufffdb");
  assert.equal(
    clean("\u202eevil\u2066\u200b\u200f\u061c\ufeff"),
    "\ufffdevil\ufffd\ufffd\ufffd\ufffd\ufffd",
  );
});

test("tabs, newlines in any spelling, a byte order mark at the start, letters of all kinds", () => {
  assert.equal(clean("\ufeffa\tb\r\nc\rd\ne"), "a\tb\nc\nd\ne");
  assert.equal(clean("Утка 鴨 🦆 e\u0301"), "Утка 鴨 🦆 e\u0301");
  assert.equal(clean("👩\u200d👩"), "👩\u200d👩", "a joiner holds emoji together");
});

const links = (text) => linked(text).map((part) => (typeof part === "string" ? part : [part.href]));

test("addresses become links, without the sentence's own signs", () => {
  assert.deepEqual(links("see https://example.org/a?b=c, or"), [
    "see ",
    ["https://example.org/a?b=c"],
    ", or",
  ]);
  assert.deepEqual(links("(http://example.org/x)"), ["(", ["http://example.org/x"], ")"]);
  assert.deepEqual(links("no link"), ["no link"]);
});

test("only http and https become links", () => {
  for (const text of [
    "javascript:alert(1)",
    "data:text/html,x",
    "xhttp://example.org/",
    "ftp://example.org/",
  ]) {
    assert.deepEqual(links(text), [text]);
  }
  assert.deepEqual(links('https://example.org/"onclick="x')[1], ["https://example.org/"]);
});

test("a link opens elsewhere and says nothing of this page", () => {
  const [, link] = linked("https://example.org/");
  assert.deepEqual(
    [link.tag, link.attributes],
    ["a", { target: "_blank", rel: "noopener noreferrer" }],
  );
});

test("h() sets classes, properties, attributes, and leaves out what is not there", () => {
  const el = h("p.text.own", { href: "x", dir: "auto" }, "a", null, false, "", 0, undefined, "b");
  assert.deepEqual(
    [el.tag, el.className, el.href, el.attributes],
    ["p", "text own", "x", { dir: "auto" }],
  );
  assert.deepEqual(el.children, ["a", "b"]);
});

test("midnight is 00, not 24", () => {
  assert.match(clock(new Date(2025, 0, 1, 0, 5).getTime()), /^00.05$/);
  assert.match(clock(new Date(2025, 0, 1, 23, 59).getTime()), /^23.59$/);
});

test("a browser without storage keeps nothing, and nothing breaks", () => {
  browser.set("login", "alice");
  assert.equal(browser.get("login"), "alice");
  provide("localStorage", undefined);
  browser.set("login", "bob");
  assert.equal(browser.get("login"), "");
});
