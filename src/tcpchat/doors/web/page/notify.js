// Notices of mentions and direct messages, and the voice for screen readers.
import { $, clean } from "./dom.js";
import { t } from "./words.js";

const permission = () => (isSecureContext ? window.Notification?.permission : "");

// Why there is nothing to turn on; undefined when there is.
export const noticeState = () =>
  ({
    "": t("Notifications need https or localhost."),
    granted: t("Notifications are on."),
    denied: t("The browser blocks notifications."),
  })[permission() ?? "denied"];

export function notify({ by, text }, { to }, open) {
  if (permission() === "granted") {
    try {
      const notice = new Notification(`${clean(by)} · ${to}`, {
        body: clean(text).slice(0, 120),
        tag: to,
      });
      notice.onclick = () => {
        focus();
        open();
        notice.close();
      };
    } catch {} // Android wants a service worker for this; the title and the badge still count
  }
}

// At most one line a second; more than one waiting is told as a number. Never history, ticks or own
// messages.
let waiting = [];
let timer = 0;
export function announce(row) {
  if (row) {
    waiting.push(row);
  }
  if (timer && row) {
    return;
  }
  const [first, ...more] = waiting;
  waiting = [];
  timer =
    first &&
    setTimeout(() => {
      timer = 0;
      announce();
    }, 1000);
  if (first) {
    $("announcer").textContent = more.length
      ? t("{0} new", more.length + 1)
      : `${clean(first.by)}: ${clean(first.text)}`;
  }
}
