// The message list of the open conversation: rows in the DOM, appended once a frame, place held
// while
// scrolled up.
import { button, clean, clock, h, linked, name } from "./dom.js";
import { lang, t } from "./words.js";

const NEAR = 60; // px from the end that still count as "at the end"
const PACE = 80; // ms between two drawings: a flood may not hold up the keys
const MOST = 60; // rows in one drawing
const GROUP = 300000; // ms: a name is not repeated within five minutes
const NOTES = {
  joined: "{0} joined",
  left: "{0} left",
  kicked: "{1} removed {0}",
  topic: "{1} set the topic: {2}",
  invited: "{1} invited {0}",
  mode: "{1} changed the room",
  renamed: "the room is now {2}",
  made: "{1} made the room",
};
export const WORDS = {
  pending: "sending",
  accepted: "sent",
  delivered: "delivered",
  read: "read",
  failed: "not sent",
  doubt: "it is not known whether it was sent: send it again?",
};

// Ticks are drawn by the style sheet: not every system has letters for them.
export const ticks = (state) => h(`i.${state}`, { ariaHidden: "true" });
const midnight = (at) => new Date(at).setHours(0, 0, 0, 0);

function day(at) {
  const date = new Date(at).toLocaleDateString(lang, {
    weekday: "short",
    day: "numeric",
    month: "short",
    year: "numeric",
  });
  const word = ["Today", "Yesterday"][Math.round((midnight(Date.now()) - midnight(at)) / 86400000)];
  return word ? `${t(word)}, ${date}` : date;
}

// Who and when, above a message. Away from its conversation it says which, and the whole date.
export function head({ by, at }, where) {
  const date = new Date(at);
  return h(
    "div.head",
    null,
    h("b", null, name(by), where),
    h(
      "time",
      { dateTime: date.toISOString(), title: date.toLocaleString() },
      where ? date.toLocaleString() : clock(at),
    ),
  );
}

export class List {
  /** @type {Map<number, any>} rows in the DOM, by seq */
  items = new Map();
  /** @type {Map<number, any>} rows that are not accepted yet, by the outbox's id */
  pending = new Map();
  /** @type {import("./store.js").Row[]} came, and are not drawn yet */
  queue = [];
  /** The conversation that is shown; undefined until there is one. @type {import("./store.js").Room} */
  room = /** @type {any} */ (undefined);
  /** @type {any} the row that was built last: a name is not repeated below it */
  last = null;
  /** @type {any} the line above the first unread message */
  rule = null;
  newest = 0; // seq of the last row
  stuck = true; // follow the end
  missed = 0; // rows that came while scrolled up
  drawn = 0; // when the last rows were drawn
  timer = 0;

  /**
   * @param {HTMLElement} el
   * @param {import("./store.js").Store} store
   * @param {Record<string, Function>} actions
   */
  constructor(el, store, actions) {
    this.el = el;
    this.store = store;
    this.actions = actions;
    el.onscroll = () => this.scrolled();
    el.onkeydown = (event) => this.key(event);
    el.addEventListener("focusin", (event) => {
      const target = /** @type {any} */ (event.target);
      if (target.row) {
        this.tools(target);
      }
    });
    new ResizeObserver(() => {
      if (this.stuck) {
        this.toEnd();
      }
    }).observe(el);
  }

  show(room) {
    this.room = room;
    this.queue = [];
    this.el.ariaLabel = t("Messages in {0}", room.to);
    this.rebuild();
    this.toEnd();
    if (this.rule && !room.gap) {
      this.rule.scrollIntoView({ block: "center" });
      this.scrolled();
    }
  }

  rebuild() {
    const { room } = this;
    const out = h("div");
    this.items.clear();
    this.pending.clear();
    this.last = null;
    this.rule = null;
    if (room.start) {
      out.append(
        h("p.note", null, t(room.rows.length ? "beginning of {0}" : "Nothing here yet.", room.to)),
      );
    }
    for (const row of room.rows) {
      this.build(row, out);
    }
    for (const item of this.actions.waiting(room)) {
      this.buildPending(item, out);
    }
    this.el.replaceChildren(...out.childNodes);
  }

  build(row, out) {
    const { room } = this;
    if (!this.last || midnight(this.last.at) !== midnight(row.at)) {
      out.append(this.line("rule", day(row.at)));
    }
    if (room.mark && !this.rule && row.seq > room.mark && row.said && !row.own) {
      this.rule = this.line("rule.new", t("{0} unread", room.marked));
      out.append(this.rule);
    }
    const el = row.said ? this.message(row) : this.note(row);
    this.newest = row.seq;
    this.items.set(row.seq, el);
    this.last = row;
    out.append(el);
  }

  // Something that happened in the room.
  note({ what, login, by, text }) {
    const words = [login || by, by, text].map((part) => clean(part || ""));
    return h("p.note", { tabIndex: -1 }, t(NOTES[what] || what, ...words));
  }

  // A line between messages; the name is told again below it.
  line(kind, text) {
    this.last = null;
    return h(`p.${kind}`, null, h("span", null, text));
  }

  message(row, item = null) {
    const { last } = this;
    const el = h("article", { tabIndex: -1 });
    el.row = row;
    el.item = item;
    el.head = !last?.said || last.by !== row.by || row.at - last.at > GROUP;
    return this.fill(el);
  }

  fill(el) {
    const { row } = el;
    const target = this.room.bySeq.get(row.re);
    const kinds = [row.own && "own", row.mention && "mention", row.kind];
    el.className = kinds.filter(Boolean).join(" ");
    el.replaceChildren(el.head ? head(row) : h("span.hidden", null, clean(row.by), ":"));
    if (row.re) {
      el.append(
        h(
          "div.re",
          { onclick: () => this.actions.jump(row.re) },
          target ? `${clean(target.by)}: ${clean(target.text || "").slice(0, 80)}` : "…",
        ),
      );
    }
    el.append(
      h(
        "p.text",
        { dir: "auto" },
        ...(row.removed ? [h("em.dim", null, t("message deleted"))] : linked(clean(row.text))),
        row.edited && h("small.dim", null, ` (${t("edited")})`),
      ),
    );
    if (row.own) {
      el.append(this.state(el));
    }
    return el;
  }

  // How far an own message has come.
  state({ row, item }) {
    const unsent = item?.failed ? "failed" : "pending";
    const state = item ? unsent : this.store.stateOf(row, this.room);
    const some = state === "accepted" && row.have && `${row.have}/${row.of} `;
    const loud = state === "read" || state === "failed";
    const word = t(WORDS[item?.doubt ? "doubt" : state]);
    return h(
      `span.state.${state}`,
      { title: word },
      some,
      ticks(state),
      h(
        loud ? "span" : "span.hidden",
        null,
        " ",
        word,
        item?.failed?.text && `: ${item.failed.text}`,
      ),
    );
  }

  // What can be done with a message appears with the focus.
  tools(el) {
    const { row, item } = el;
    const { reply, copy, edit, remove, receipts, resend, forget } = this.actions;
    if (el.querySelector(".tools") || (item && !item.failed)) {
      return;
    }
    /** @type {[string, Function][]} */
    let acts = [["Who has it", receipts]];
    if (item) {
      acts = [
        ["Resend", resend],
        ["Forget", forget],
      ];
    } else if (!row.removed) {
      /** @type {[string, Function][]} */
      const own = [
        ["Edit", edit],
        ["Delete", remove],
      ];
      acts = [["Reply", reply], ["Copy", copy], ...(row.own ? own : []), ...acts];
    }
    const buttons = acts.map(([word, act]) => button(word, () => act(item || row)));
    el.append(h("div.tools", null, ...buttons));
  }

  buildPending(item, out) {
    const el = this.message({ ...item, by: this.store.me, own: true, said: true }, item);
    this.last = el.row;
    this.pending.set(item.id, el);
    out.append(el);
  }

  // Live rows are gathered and drawn with the next frame; in a flood, and in a hidden page (it has
  // no frames), by the clock.
  append(row) {
    this.queue.push(row);
    this.draw();
  }

  draw() {
    const later = document.hidden || performance.now() < this.drawn + 2 * PACE;
    this.timer ||= later
      ? setTimeout(() => this.flush(), PACE)
      : requestAnimationFrame(() => this.flush());
  }

  flush() {
    this.timer = 0;
    this.drawn = performance.now();
    const { room, stuck } = this;
    const rows = this.queue
      .splice(0, MOST)
      .filter(({ seq }) => !this.items.has(seq) && room.bySeq.has(seq));
    const [tail] = this.pending.values();
    const out = h("div");
    if (this.queue.length) {
      this.draw();
    }
    if (!rows.length) {
      return;
    }
    if (!this.items.size || rows[0].seq < this.newest) {
      return this.redraw(); // the first, or (rarely) out of order
    }
    this.last = room.bySeq.get(this.newest);
    for (const row of rows) {
      this.build(row, out);
    }
    if (tail) {
      tail.before(...out.childNodes);
    } else {
      this.el.append(...out.childNodes);
    }
    if (stuck) {
      if (room.trim()) {
        this.trim();
      }
      this.toEnd();
    } else {
      this.missed += rows.length;
      this.actions.moved();
    }
  }

  trim() {
    const { seq } = this.room.rows[0];
    const first = this.items.get(seq);
    while (this.el.firstChild && this.el.firstChild !== first) {
      this.el.firstChild.remove();
    }
    for (const old of this.items.keys()) {
      if (old >= seq) {
        break;
      }
      this.items.delete(old);
    }
  }

  changed(row) {
    const el = this.items.get(row.seq);
    if (el) {
      this.fill(el);
    }
  }

  ticks() {
    for (const el of this.items.values()) {
      if (el.row?.own) {
        const old = el.querySelector(".state");
        const next = this.state(el);
        if (!old.isEqualNode(next)) {
          old.replaceWith(next);
        }
      }
    }
  }

  // It may stand there already: the list may have been drawn while the item was being stored.
  addPending(item) {
    this.pending.get(item.id)?.remove();
    this.last = this.room.rows.at(-1);
    this.buildPending(item, this.el);
    this.toEnd();
  }

  // The server has it: the waiting row gives way to the real one, in its place by seq.
  settle(item, row) {
    this.pending.get(item.id)?.remove();
    this.pending.delete(item.id);
    if (row) {
      this.queue.push(row);
      this.flush();
    }
  }

  pendingChanged(item) {
    const el = this.pending.get(item.id);
    if (el) {
      this.fill(el);
    }
  }

  // Draw all again, with the row that is at the top of the view where it was.
  redraw() {
    const { stuck } = this;
    const top = this.el.getBoundingClientRect().top;
    const offset = (el) => el.getBoundingClientRect().top - top;
    const [seq, el] =
      [...this.items].find(([, row]) => row.getBoundingClientRect().bottom > top) || [];
    const was = el && offset(el);
    const active = /** @type {any} */ (document.activeElement);
    this.rebuild();
    this.items.get(active?.row?.seq)?.focus({ preventScroll: true });
    const same = seq === undefined ? undefined : this.items.get(seq);
    if (stuck || !same) {
      this.toEnd();
    } else {
      this.el.scrollTop += offset(same) - was;
    }
  }

  toEnd() {
    this.el.scrollTop = this.el.scrollHeight;
    this.stuck = true;
    this.missed = 0;
    this.actions.moved();
  }

  scrolled() {
    const { el, actions } = this;
    this.stuck = el.scrollHeight - el.scrollTop - el.clientHeight < NEAR;
    if (this.stuck) {
      this.missed = 0;
      actions.newer();
    }
    if (el.scrollTop < 400) {
      actions.older();
    }
    actions.moved();
  }

  focusRow(seq) {
    const el = this.items.get(seq);
    if (!el) {
      return false;
    }
    this.stuck = false;
    el.focus({ preventScroll: true });
    el.scrollIntoView({ block: "center" });
    return true;
  }

  key(event) {
    const rows = /** @type {HTMLElement[]} */ ([...this.el.querySelectorAll("[tabindex]")]);
    const at = rows.indexOf(/** @type {HTMLElement} */ (document.activeElement));
    const end = rows.length - 1;
    const to = {
      ArrowUp: at < 0 ? end : Math.max(0, at - 1),
      ArrowDown: Math.min(end, at + 1),
      Home: 0,
      End: end,
    }[event.key];
    if (!rows[to] || event.altKey || event.ctrlKey) {
      return;
    }
    event.preventDefault();
    rows[to].focus();
  }
}
