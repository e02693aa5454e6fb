// The message list of the open conversation: rows in the DOM, appended once a frame, place held while scrolled up.
import { t } from "./words.js";

const NEAR = 60; // px from the end that still count as "at the end"
const GROUP = 300000; // ms: a name is not repeated within five minutes
const TICKS = { pending: "…", accepted: "✓", delivered: "✓✓", read: "✓✓", failed: "✗" };
export const WORDS = { pending: "sending", accepted: "sent", delivered: "delivered", read: "read", failed: "not sent" };

export const make = (tag, props = {}, ...children) => {
  const el = document.createElement(tag);
  for (const [name, value] of Object.entries(props)) {
    if (name === "class") el.className = value; else if (name.startsWith("on")) el[name] = value; else if (name in el && name !== "list") el[name] = value; else el.setAttribute(name, value);
  }
  el.append(...children.filter((child) => child !== null && child !== undefined));
  return el;
};
// Controls and bidi overrides never reach the screen; newlines and tabs stay.
export const clean = (text) => text.replace(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u061c\u200b\u200e\u200f\u202a-\u202e\u2060-\u2069\ufeff]/g, "\ufffd");
export const clock = (at) => new Date(at).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", hour12: false });

function dayName(at) {
  const day = new Date(at).setHours(0, 0, 0, 0), today = new Date().setHours(0, 0, 0, 0);
  const name = new Date(at).toLocaleDateString(document.documentElement.lang, { weekday: "short", day: "numeric", month: "short", year: "numeric" });
  return day === today ? `${t("Today")}, ${name}` : today - day < 86400000 * 1.5 && today > day ? `${t("Yesterday")}, ${name}` : name;
}

export function linked(text, into) {
  let at = 0;
  for (const hit of text.matchAll(/\bhttps?:\/\/[^\s<>"']+[^\s<>"'.,;:!?)\]]/g)) {
    into.append(text.slice(at, hit.index), make("a", { href: hit[0], target: "_blank", rel: "noopener noreferrer" }, hit[0]));
    at = hit.index + hit[0].length;
  }
  into.append(text.slice(at));
  return into;
}

const NOTES = { joined: "{0} joined", left: "{0} left", kicked: "{0} was removed by {1}", topic: "{0} set the topic: {1}", invited: "{0} was invited by {1}", mode: "{0} changed the room", renamed: "the room was renamed {0}", made: "{0} made the room" };

export class List {
  constructor(el, store, actions) {
    this.el = el; this.store = store; this.actions = actions; this.room = null; this.items = new Map(); this.pending = new Map(); this.queue = []; this.frame = 0; this.missed = 0;
    el.addEventListener("scroll", () => this.scrolled(), { passive: true });
    el.addEventListener("keydown", (event) => this.key(event));
    new ResizeObserver(() => { if (this.stuck) this.toEnd(); }).observe(el);
    this.stuck = true;
  }

  get atEnd() { return this.el.scrollHeight - this.el.scrollTop - this.el.clientHeight < NEAR; }

  show(room) {
    this.room = room; this.queue = []; this.missed = 0; this.stuck = true;
    this.el.setAttribute("aria-label", t("Messages in {0}", room.to));
    this.rebuild();
    const rule = this.el.querySelector(".rule.new");
    if (rule && !room.gap) { rule.scrollIntoView({ block: "center" }); this.stuck = this.atEnd; } else this.toEnd();
    this.actions.moved();
  }

  rebuild() {
    const room = this.room, out = document.createDocumentFragment();
    this.items.clear(); this.pending.clear(); this.last = null;
    if (room.start) out.append(make("li", { class: "note" }, t("beginning of {0}", room.to)));
    for (const row of room.rows) this.build(row, out);
    for (const item of this.actions.waiting(room)) this.buildPending(item, out);
    this.el.replaceChildren(out);
    this.actions.empty(!room.rows.length && !this.pending.size);
  }

  build(row, out) {
    const previous = this.last;
    if (!previous || new Date(previous.at).toDateString() !== new Date(row.at).toDateString()) { out.append(make("li", { class: "rule" }, make("span", {}, dayName(row.at)))); this.last = null; }
    const mark = this.room.mark;
    if (mark && row.seq > mark && !row.own && (!previous || previous.seq <= mark) && row.kind2 === "message") { out.append(make("li", { class: "rule new" }, make("span", {}, t("{0} unread", this.room.unread || "")))); this.last = null; }
    const li = row.kind2 === "note" ? this.note(row) : this.message(row);
    this.items.set(row.seq, li);
    this.last = row;
    out.append(li);
  }

  note(row) {
    const who = row.login || row.by || "", text = t(NOTES[row.what] || row.what, ...(row.what === "topic" ? [row.by, clean(row.text || "")] : row.what === "renamed" ? [row.text] : [who, row.by || ""]));
    return make("li", { class: "note", tabIndex: -1 }, text);
  }

  message(row, pending) {
    const li = make("li", { tabIndex: -1 });
    li.row = row; li.pendingItem = pending;
    this.fill(li, !this.last || this.last.kind2 === "note" || this.last.by !== row.by || row.at - this.last.at > GROUP);
    return li;
  }

  fill(li, head) {
    const row = li.row, state = li.pendingItem ? (li.pendingItem.failed ? "failed" : "pending") : row.own ? this.store.stateOf(row, this.room) : "";
    li.head = head;
    const article = make("article", { class: [row.own ? "own" : "", row.mention ? "mention" : "", row.kind === "action" ? "action" : ""].join(" ").trim() });
    if (head) article.append(make("div", { class: "head" }, make("bdi", { class: "who" }, clean(row.by)), make("time", { dateTime: new Date(row.at).toISOString(), title: new Date(row.at).toLocaleString() }, clock(row.at))));
    else article.append(make("bdi", { class: "hidden" }, clean(row.by) + ":"));
    if (row.re) {
      const target = this.room.bySeq.get(row.re);
      article.append(make("div", { class: "re", onclick: () => this.actions.jump(row.re) }, target ? `↩ ${clean(target.by)}: ${clean(target.text).slice(0, 80)}` : "↩ …"));
    }
    const text = make("p", { class: "text", dir: "auto" });
    if (row.removed) text.append(make("em", { class: "dim" }, t("message deleted"))); else linked(clean(row.text), text);
    if (row.edited) text.append(" ", make("small", { class: "dim" }, `(${t("edited")})`));
    article.append(text);
    if (state) article.append(this.tick(state, row, li));
    li.replaceChildren(article);
    li.onfocus = () => this.tools(li, article);
  }

  tick(state, row, li) {
    const counted = row.of > 1 && state === "accepted" && row.have ? ` ${row.have}/${row.of}` : "";
    const why = li.pendingItem?.failed ? `: ${li.pendingItem.failed.text}` : "";
    return make("span", { class: `state ${state}`, title: t(WORDS[state]) }, make("span", { "aria-hidden": "true" }, TICKS[state]), counted, " ", make("span", { class: state === "read" || state === "failed" ? "" : "hidden" }, t(WORDS[state]) + why));
  }

  tools(li, article) {
    if (article.querySelector(".tools")) return;
    const row = li.row, item = li.pendingItem, button = (word, act) => make("button", { type: "button", onclick: (event) => { event.stopPropagation(); act(); } }, t(word));
    const tools = make("div", { class: "tools" });
    if (item) { if (item.failed) tools.append(button("Resend", () => this.actions.resend(item)), button("Forget", () => this.actions.forget(item))); else return; }
    else {
      if (!row.removed) tools.append(button("Reply", () => this.actions.reply(row)), button("Copy", () => this.actions.copy(row)));
      if (row.own && !row.removed) tools.append(button("Edit", () => this.actions.edit(row)), button("Delete", () => this.actions.remove(row)));
      tools.append(button("Who has it", () => this.actions.receipts(row)));
    }
    article.append(tools);
  }

  buildPending(item, out) {
    const li = this.message({ by: this.store.me, to: item.to, text: item.text, at: item.at, own: true, kind: item.kind, re: item.re, kind2: "message", seq: 0 }, item);
    this.pending.set(item.id, li);
    this.last = li.row;
    out.append(li);
  }

  // Live rows are gathered and drawn once a frame.
  append(row) {
    this.queue.push(row);
    if (!this.frame) this.frame = requestAnimationFrame(() => this.flush());
  }

  flush() {
    this.frame = 0;
    const stuck = this.stuck, out = document.createDocumentFragment(), rows = this.queue.filter((row) => !this.items.has(row.seq) && this.room.bySeq.has(row.seq));
    this.queue = [];
    if (!rows.length) return;
    const tail = [...this.pending.values()];
    const newest = [...this.items.keys()].pop() || 0;
    if (rows[0].seq < newest) { const place = this.hold(); this.rebuild(); this.restore(place, stuck); return; } // out of order: rare
    this.last = this.room.rows[this.room.rows.indexOf(rows[0]) - 1] || null;
    for (const row of rows) this.build(row, out);
    if (tail.length) tail[0].before(out); else this.el.append(out);
    this.actions.empty(false);
    if (stuck) { this.trim(); this.toEnd(); } else { this.missed += rows.filter((row) => row.kind2 === "message").length; this.actions.moved(); }
  }

  trim() {
    const gone = this.room.trim(true);
    if (!gone) return;
    const first = this.room.rows[0].seq;
    for (const [seq, li] of this.items) { if (seq >= first) break; li.remove(); this.items.delete(seq); }
    while (this.el.firstElementChild && this.el.firstElementChild !== this.items.get(first)) this.el.firstElementChild.remove();
  }

  changed(row) { const li = this.items.get(row.seq); if (li?.row) { li.row = row; this.fill(li, li.head); } }

  ticks() { for (const li of this.items.values()) if (li.row?.own) { const old = li.querySelector(".state"), next = this.tick(this.store.stateOf(li.row, this.room), li.row, li); if (old && (old.className !== next.className || old.textContent !== next.textContent)) old.replaceWith(next); } }

  addPending(item) { const out = document.createDocumentFragment(); this.last = this.last || null; this.buildPending(item, out); this.el.append(out); this.actions.empty(false); this.toEnd(); }

  settle(item, row) {
    const li = this.pending.get(item.id);
    this.pending.delete(item.id);
    if (!li) { if (row) this.append(row); return; }
    if (!row || this.items.has(row.seq)) { li.remove(); return; }
    const newest = [...this.items.keys()].pop() || 0;
    li.row = row; li.pendingItem = null; this.items.set(row.seq, li); this.fill(li, li.head);
    if (row.seq < newest) { const place = this.hold(); this.rebuild(); this.restore(place, this.stuck); }
    else { const before = [...this.items.values()].at(-2); if (before && before.nextSibling !== li && !this.pendingBefore(li)) before.after(li); else if (this.pendingBefore(li)) [...this.pending.values()][0].before(li); }
  }

  pendingBefore(li) { const first = [...this.pending.values()][0]; return first && first.compareDocumentPosition(li) & Node.DOCUMENT_POSITION_FOLLOWING; }

  pendingChanged(item) { const li = this.pending.get(item.id); if (li) this.fill(li, li.head); }

  // Keep the row that is at the top of the view where it is.
  hold() { const top = this.el.getBoundingClientRect().top; for (const [seq, li] of this.items) { const box = li.getBoundingClientRect(); if (box.bottom > top) return { seq, at: box.top - top }; } return null; }

  restore(place, stuck) { if (stuck || !place) return this.toEnd(); const li = this.items.get(place.seq); if (li) this.el.scrollTop += li.getBoundingClientRect().top - this.el.getBoundingClientRect().top - place.at; }

  prepended() { const place = this.hold(); this.rebuild(); this.restore(place, false); }

  toEnd() { this.el.scrollTop = this.el.scrollHeight; this.stuck = true; this.missed = 0; this.actions.moved(); }

  scrolled() { this.stuck = this.atEnd; if (this.stuck) this.missed = 0; if (this.el.scrollTop < 400) this.actions.older(); this.actions.moved(); }

  focusRow(seq) {
    const li = this.items.get(seq);
    if (!li) return false;
    this.stuck = false;
    li.scrollIntoView({ block: "center" }); li.focus({ preventScroll: true });
    return true;
  }

  key(event) {
    const rows = [...this.el.children].filter((li) => li.tabIndex === -1), at = rows.indexOf(document.activeElement.closest?.("li"));
    const to = { ArrowUp: at < 0 ? rows.length - 1 : at - 1, ArrowDown: at + 1, Home: 0, End: rows.length - 1 }[event.key];
    if (to === undefined || event.altKey || event.ctrlKey || !rows[Math.max(0, to)] || to >= rows.length) return;
    event.preventDefault();
    rows[Math.max(0, to)].focus(); rows[Math.max(0, to)].scrollIntoView({ block: "nearest" });
  }
}
