// Notices of mentions and direct messages, and the voice for screen readers.
import { clean } from "./dom.js";
import { t } from "./words.js";

// Why there are no notices, or "" when they can be turned on.
export function noticeState() {
  if (!isSecureContext) return t("Notifications need https or localhost.");
  if (!window.Notification) return t("This browser has no notifications.");
  return { granted: t("Notifications are on."), denied: t("Notifications are blocked in the browser.") }[Notification.permission] || "";
}

export function notify(row, room, open) {
  if (!isSecureContext || window.Notification?.permission !== "granted") return;
  try {
    const notice = new Notification(`${clean(row.by)} · ${room.to}`, { body: clean(row.text).slice(0, 120), tag: room.to });
    notice.onclick = () => { focus(); open(); notice.close(); };
  } catch { /* Android wants a service worker for this; the title and the badge still count */ }
}

// At most one line a second; more than one waiting is told as a number. Never history, ticks or own messages.
export class Announcer {
  constructor(el) { this.el = el; this.waiting = []; this.timer = 0; }

  add(row) { this.waiting.push(row); if (!this.timer) this.say(); }

  say() {
    const [row, ...more] = this.waiting;
    this.waiting = [];
    this.timer = row ? setTimeout(() => this.say(), 1000) : 0;
    if (row) this.el.textContent = more.length ? t("{0} new messages", more.length + 1) : `${clean(row.by)}: ${clean(row.text)}`;
  }
}
