// Notices of mentions and direct messages, and the voice for screen readers.
import { clean } from "./list.js";
import { t } from "./words.js";

export function noticeState() {
  if (!window.isSecureContext) return t("Notifications need https or localhost.");
  if (!("Notification" in window)) return t("This browser has no notifications.");
  if (Notification.permission === "granted") return t("Notifications are on.");
  return Notification.permission === "denied" ? t("Notifications are blocked in the browser.") : "";
}
export const askNotices = () => Notification.requestPermission();

export function notify(row, room, open) {
  if (!window.isSecureContext || !("Notification" in window) || Notification.permission !== "granted") return;
  try {
    const notice = new Notification(`${clean(row.by)} · ${room.to}`, { body: clean(row.text).slice(0, 120), tag: room.to });
    notice.onclick = () => { window.focus(); open(); notice.close(); };
  } catch { /* Android wants a service worker for this; the title and the badge still count */ }
}

// At most one line a second; more than one waiting is told as a number. Never history, ticks or own messages.
export class Announcer {
  constructor(el) { this.el = el; this.waiting = []; this.timer = 0; }

  add(row) { this.waiting.push(row); if (!this.timer) this.say(); }

  say() {
    const rows = this.waiting; this.waiting = [];
    if (!rows.length) { this.timer = 0; return; }
    this.el.textContent = rows.length === 1 ? `${clean(rows[0].by)}: ${clean(rows[0].text)}` : t("{0} new messages", rows.length);
    this.timer = setTimeout(() => this.say(), 1000);
  }
}
