// What the page knows: conversations, their messages, people, cursors. No DOM here.
const KEEP_HIDDEN = 200; // rows of a conversation that is not open
const KEEP_OPEN = 600; // rows of the open one
const SLACK = 100; // rows more before any are dropped, so that it is not done for each

const key = (to) => to.toLowerCase().replaceAll("_", " ");
export const same = (a, b) => key(a) === key(b);

/**
 * A message, or something that happened, as the server tells it, with what the page adds to messages:
 * said (it is one), own, mention, and what became of it.
 *
 * @typedef {{t: string, seq: number, at: number, by: string, to?: string, text?: string, re?: number,
 *   kind?: string, what?: string, login?: string, room?: string, said?: boolean, own?: boolean,
 *   mention?: boolean, removed?: boolean, edited?: number, failed?: boolean, have?: number,
 *   of?: number}} Row
 */

export class Room {
  topic = "";
  unread = 0;
  mentions = 0;
  read = 0; // seq up to which this person has read
  delivered = 0; // seq up to which everybody's client has all
  seen = 0; // seq up to which everybody has read
  head = 0; // the newest seq known of
  mark = 0; // seq after which the "unread" line stands
  marked = 0; // the number in that line
  told = 0; // when the others were last told that this person is typing
  draft = "";
  loading = false;
  /** @type {Map<string, number>} who is typing, and until when */
  typing = new Map();
  /** @type {Row[]} in order of seq */
  rows = [];
  /** @type {Map<number, Row>} */
  bySeq = new Map();
  loaded = false;
  start = false; // the first row is the first of the conversation
  gap = false; // what is newer than the rows is not here

  /** @param {string} to "#room" or "@login" */
  constructor(to) {
    this.to = to;
  }

  get isRoom() {
    return this.to[0] === "#";
  }

  get name() {
    return this.to.slice(1);
  }

  clear() {
    this.rows = [];
    this.bySeq = new Map();
    this.loaded = false;
    this.start = false;
    this.gap = false;
  }

  // Insert in order of seq. Live messages belong at the end, pages anywhere.
  put(row) {
    if (this.gap || this.bySeq.has(row.seq)) {
      return false;
    }
    this.bySeq.set(row.seq, row);
    let at = this.rows.length;
    while (at && this.rows[at - 1].seq > row.seq) {
      at--;
    }
    this.rows.splice(at, 0, row);
    return true;
  }

  trim(keep = KEEP_OPEN) {
    if (this.rows.length <= keep + SLACK) {
      return false;
    }
    for (const row of this.rows.splice(0, this.rows.length - keep)) {
      this.bySeq.delete(row.seq);
    }
    this.start = false;
    return true;
  }
}

export class Store {
  /** @type {Map<string, Room>} */
  rooms = new Map();
  /** @type {Map<string, {login: string, online?: boolean, away?: string}>} */
  people = new Map();
  /** The open conversation; undefined until the first one is opened. @type {Room} */
  open = /** @type {any} */ (undefined);
  me = "";
  base = 0; // seq at which the log ended at login: what is newer is news
  /** Who is told: row(room, row), changed(room, row), ticks(room), drawn(). @type {any} */
  on = {};

  /** @param {() => boolean} attending does a person look at the end of the open conversation? */
  constructor(attending) {
    this.attending = attending;
  }

  /**
   * Take an event of the server; those that the page has no use for are passed over. Only what is named
   * here can be called by the server.
   *
   * @param {any} event
   */
  take(event) {
    switch (event.t) {
      case "message":
        return this.message(event);
      case "event":
        return this.event(event);
      case "amended":
        return this.amended(event);
      case "receipt":
        return this.receipt(event);
      case "markread":
        return this.markread(event);
      case "presence":
        return this.presence(event);
      case "typing":
        return this.typing(event);
      case "roomlist":
        return this.roomlist(event);
    }
  }

  /**
   * The conversation of this name, known or not.
   *
   * @param {string} to
   */
  room(to) {
    const room = this.find(to) || new Room(to);
    this.rooms.set(key(to), room);
    return room;
  }

  /**
   * The conversation of this name, if it is known.
   *
   * @param {string} to
   */
  find(to) {
    return this.rooms.get(key(to));
  }

  rename(from, to) {
    const room = this.find(from);
    if (!room) {
      return;
    }
    this.rooms.delete(key(from));
    this.rooms.set(key(to), room);
    room.to = to;
  }

  mine(login) {
    return same(login || "", this.me);
  }

  conversation({ to, by }) {
    return to[0] === "@" && !this.mine(by) ? `@${by}` : to;
  }

  mention(text) {
    const words = text.toLowerCase();
    const me = this.me.toLowerCase();
    for (let at = words.indexOf(me); at >= 0; at = words.indexOf(me, at + 1)) {
      if (!/[\p{L}\p{N}_]/u.test((words[at - 1] || " ") + (words[at + me.length] || " "))) {
        return true;
      }
    }
    return false;
  }

  row(event) {
    const own = this.mine(event.by);
    return event.t === "message"
      ? { ...event, said: true, own, mention: !own && this.mention(event.text) }
      : event;
  }

  // -- events of the server, by their names -------------------------------------------------------
  roomlist({ rooms }) {
    const here = rooms.map(({ to }) => key(to));
    for (const info of rooms) {
      const room = Object.assign(
        this.room(info.to),
        { topic: "", unread: 0, mentions: 0, read: 0 },
        info,
      );
      if (room.unread && !room.mark) {
        Object.assign(room, { mark: room.read || 1, marked: room.unread });
      }
    }
    for (const [id, room] of this.rooms) {
      if (room.isRoom && !here.includes(id)) {
        this.rooms.delete(id);
      }
    }
    this.on.drawn();
  }

  message(event) {
    const room = this.room(this.conversation(event));
    const row = this.row(event);
    const open = room === this.open;
    if (room.bySeq.has(row.seq)) {
      return;
    }
    room.head = Math.max(room.head, row.seq);
    room.put(row);
    if (!open) {
      room.trim(KEEP_HIDDEN);
    } else if (room.rows.length > KEEP_OPEN + 4 * SLACK) {
      room.gap = true; // read far above the end: fetched when wanted
    }
    if (!row.own && row.seq > this.base && row.seq > room.read && !(open && this.attending())) {
      if (!room.unread) {
        Object.assign(room, { mark: row.seq - 1, marked: 0 });
      }
      room.unread++;
      room.marked++;
      if (row.mention || !room.isRoom) {
        room.mentions++;
      }
    }
    room.typing.delete(event.by);
    this.on.row(room, row);
  }

  event(event) {
    const { what, text, login } = event;
    if (what === "renamed") {
      this.rename(event.room, text);
    }
    const room = this.room(what === "renamed" ? text : event.room);
    if (what === "topic") {
      room.topic = text || "";
    }
    if (room.put(event)) {
      this.on.row(room, event);
    }
    if ((what === "left" || what === "kicked") && this.mine(login)) {
      this.rooms.delete(key(room.to));
    }
  }

  amended(event) {
    const room = this.room(this.conversation(event));
    const row = room.bySeq.get(event.target);
    if (row) {
      this.on.changed(
        room,
        Object.assign(
          row,
          event.removed ? { removed: true, text: "" } : { text: event.text, edited: event.at },
        ),
      );
    }
  }

  receipt({ to, seq, state, have, of }) {
    const room = this.room(to);
    const row = room.bySeq.get(seq);
    if (state === "failed") {
      if (row) {
        row.failed = true;
      }
    } else if (!room.isRoom || have === of) {
      room.delivered = Math.max(room.delivered, seq);
      if (state === "read") {
        room.seen = Math.max(room.seen, seq);
      }
    }
    if (row && of > 1) {
      Object.assign(row, { have, of });
    }
    this.on.ticks(room);
  }

  markread({ to, seq }) {
    const room = this.room(to);
    if (seq <= room.read) {
      return false;
    }
    room.read = seq;
    const rest =
      seq < room.head ? room.rows.filter((row) => row.said && !row.own && row.seq > seq) : [];
    room.unread = rest.length;
    room.mentions = rest.filter((row) => row.mention || !room.isRoom).length;
    this.on.drawn();
    return true;
  }

  presence({ login, what, text }) {
    /** @type {{login: string, online?: boolean, away?: string}} */
    const person = { ...this.people.get(key(login)), login };
    if (what === "renamed") {
      if (this.mine(login)) {
        this.me = text;
      }
      this.people.delete(key(login));
      this.rename(`@${login}`, `@${text}`);
      person.login = text;
    } else if (what === "away" || what === "back") {
      person.away = text;
    } else if (what === "online" || what === "offline") {
      person.online = what === "online";
    }
    this.people.set(key(person.login), person);
    this.on.drawn();
  }

  setPeople(people) {
    this.people = new Map(people.map((person) => [key(person.login), { online: true, ...person }]));
    this.on.drawn();
  }

  typing(event) {
    this.room(this.conversation(event)).typing.set(
      event.by,
      event.on === false ? 0 : Date.now() + 6000,
    );
  }

  // Take a page of history; `query` is what it was asked with.
  page(room, page, query) {
    const { gap } = room;
    room.gap = false; // or nothing could be put
    for (const event of page.messages) {
      if (event.t !== "amended") {
        room.put(this.row(event));
      }
    }
    if (query.after) {
      room.gap = Boolean(page.more);
    } else if (query.around) {
      room.gap = (room.rows.at(-1)?.seq || 0) < room.head;
    } else {
      room.gap = gap;
      room.start = !page.more;
    }
    room.loaded = true;
    room.delivered = Math.max(room.delivered, page.delivered || 0);
    room.seen = Math.max(room.seen, page.seen || 0);
  }

  // The server has a message of the outbox.
  accepted({ to, text, re, kind }, seq, at) {
    const room = this.room(to);
    room.head = Math.max(room.head, seq);
    if (seq) {
      room.put(this.row({ t: "message", seq, at, by: this.me, to, text, re, kind }));
    }
    return room.bySeq.get(seq);
  }

  stateOf(row, room) {
    if (row.failed) {
      return "failed";
    }
    if (row.seq <= room.seen) {
      return "read";
    }
    return row.seq <= room.delivered ? "delivered" : "accepted";
  }

  online(login) {
    return this.people.get(key(login))?.online;
  }

  // Rooms first (#all before all), then people, by name.
  ordered() {
    const rank = ({ to, isRoom }) => {
      if (to === "#all") {
        return 0;
      }
      return isRoom ? 1 : 2;
    };
    return [...this.rooms.values()].sort((a, b) => rank(a) - rank(b) || a.to.localeCompare(b.to));
  }
}
