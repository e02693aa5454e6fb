// What the page knows: conversations, their messages, people, cursors. No DOM here.
const KEEP_HIDDEN = 200, KEEP_OPEN = 600;

export const same = (a, b) => a.toLowerCase().replaceAll("_", " ") === b.toLowerCase().replaceAll("_", " ");
const key = (to) => to.toLowerCase().replaceAll("_", " ");

class Room {
  constructor(to) {
    Object.assign(this, { to, rows: [], bySeq: new Map(), unread: 0, mentions: 0, read: 0, delivered: 0, seen: 0, head: 0, topic: "", members: 0,
      member: true, loaded: false, start: false, gap: false, draft: "", typing: new Map(), context: null, mark: 0 });
  }

  // Insert in order of seq. Live messages belong at the end, pages anywhere.
  put(row) {
    if (this.bySeq.has(row.seq)) return false;
    this.bySeq.set(row.seq, row);
    let at = this.rows.length;
    while (at > 0 && this.rows[at - 1].seq > row.seq) at--;
    this.rows.splice(at, 0, row);
    return true;
  }

  trim(open) {
    const keep = open ? KEEP_OPEN : KEEP_HIDDEN;
    if (this.rows.length <= keep + 100) return 0;
    const gone = this.rows.splice(0, this.rows.length - keep);
    for (const row of gone) this.bySeq.delete(row.seq);
    this.start = false;
    return gone.length;
  }

  clear() { this.rows = []; this.bySeq.clear(); this.loaded = this.start = this.gap = false; }
}

export class Store extends EventTarget {
  constructor() { super(); this.rooms = new Map(); this.people = new Map(); this.me = ""; this.base = 0; this.open = null; }

  emit(name, detail) { this.dispatchEvent(new CustomEvent(name, { detail })); }

  room(to, make = true) {
    const id = key(to);
    if (!this.rooms.has(id) && make) this.rooms.set(id, new Room(to));
    return this.rooms.get(id);
  }

  mine(login) { return same(login || "", this.me); }

  conversation(message) { return message.to.startsWith("@") && !this.mine(message.by) ? "@" + message.by : message.to; }

  mention(text) {
    const words = text.toLowerCase(), me = this.me.toLowerCase();
    for (let at = words.indexOf(me); me && at >= 0; at = words.indexOf(me, at + 1)) {
      if (!/[\p{L}\p{N}_]/u.test((words[at - 1] || " ") + (words[at + me.length] || " "))) return true;
    }
    return false;
  }

  setRooms(list) {
    const here = new Set(list.map((info) => key(info.to)));
    for (const info of list) {
      const room = this.room(info.to);
      for (const name of ["unread", "mentions", "read", "delivered", "seen", "head", "topic", "members", "role"]) room[name] = info[name] || (name === "topic" || name === "role" ? "" : 0);
      room.member = info.member !== false;
      if (room.unread && !room.mark) room.mark = room.read;
    }
    for (const [id, room] of this.rooms) if (!here.has(id) && room.to.startsWith("#")) this.rooms.delete(id);
    this.emit("rooms");
  }

  // A message of the feed. Returns the room when it is new there.
  message(event, live) {
    const room = this.room(this.conversation(event)), own = this.mine(event.by);
    const row = { ...event, own, kind2: "message", mention: !own && this.mention(event.text) };
    if (room.bySeq.has(event.seq)) return null;
    room.head = Math.max(room.head, event.seq);
    if (!room.gap) room.put(row);
    if (live && !own && event.seq > this.base && event.seq > room.read) {
      room.unread++;
      if (row.mention || room.to.startsWith("@")) room.mentions++;
      if (!room.mark) room.mark = Math.max(room.read, (room.rows[room.rows.length - 2] || { seq: 0 }).seq);
    }
    room.typing.delete(event.by);
    this.emit("message", { room, row, live });
    return room;
  }

  event(event) {
    const name = event.what === "renamed" ? event.text : event.room;
    const room = this.room(event.room);
    if (event.what === "renamed") { this.rooms.delete(key(event.room)); room.to = name; this.rooms.set(key(name), room); }
    if ((event.what === "left" || event.what === "kicked") && this.mine(event.login)) this.rooms.delete(key(event.room));
    if (event.what === "topic") room.topic = event.text || "";
    if (!room.gap && room.put({ ...event, kind2: "note" })) this.emit("message", { room, row: room.bySeq.get(event.seq), live: true });
    this.emit("rooms");
  }

  amended(event) {
    const room = this.room(this.conversation(event)), row = room.bySeq.get(event.target);
    if (!row) return;
    Object.assign(row, event.removed ? { removed: true, text: "" } : { text: event.text, edited: event.at });
    this.emit("changed", { room, row });
  }

  page(to, page, query) {
    const room = this.room(to);
    for (const event of page.messages) {
      if (event.t === "message") room.put({ ...event, own: this.mine(event.by), kind2: "message", mention: !this.mine(event.by) && this.mention(event.text) });
      else if (event.t === "event") room.put({ ...event, kind2: "note" });
    }
    if (!query.after && !query.around && !page.more) room.start = true;
    room.delivered = Math.max(room.delivered, page.delivered || 0);
    room.seen = Math.max(room.seen, page.seen || 0);
    room.loaded = true;
  }

  accepted(item, seq, at) {
    const room = this.room(item.to);
    if (seq) { room.head = Math.max(room.head, seq); if (!room.gap) room.put({ seq, at, by: this.me, to: item.to, text: item.text, re: item.re, kind: item.kind, own: true, kind2: "message" }); }
    this.emit("settled", { room, item, row: room.bySeq.get(seq) });
  }

  receipt(event) {
    const room = this.room(event.to), row = room.bySeq.get(event.seq);
    if (event.state === "failed") { if (row) row.failed = true; } else if (event.to.startsWith("@") || event.have === event.of) {
      room.delivered = Math.max(room.delivered, event.seq);
      if (event.state === "read") room.seen = Math.max(room.seen, event.seq);
    }
    if (row && event.of) Object.assign(row, { have: event.have, of: event.of });
    this.emit("receipts", { room });
  }

  stateOf(row, room) {
    if (row.failed) return "failed";
    return row.seq <= room.seen ? "read" : row.seq <= room.delivered ? "delivered" : "accepted";
  }

  markRead(to, seq) {
    const room = this.room(to, false);
    if (!room || seq <= room.read) return false;
    room.read = seq;
    const rest = room.rows.filter((row) => row.kind2 === "message" && !row.own && row.seq > seq);
    room.unread = seq >= room.head ? 0 : rest.length;
    room.mentions = seq >= room.head ? 0 : rest.filter((row) => row.mention || room.to.startsWith("@")).length;
    this.emit("rooms");
    return true;
  }

  presence(event) {
    const id = key(event.login), person = this.people.get(id) || { login: event.login };
    if (event.what === "renamed") {
      if (this.mine(event.login)) this.me = event.text;
      this.people.delete(id);
      const old = this.rooms.get("@" + id);
      if (old) { this.rooms.delete("@" + id); old.to = "@" + event.text; this.rooms.set(key(old.to), old); }
      this.people.set(key(event.text), { ...person, login: event.text });
    } else this.people.set(id, { ...person, online: event.what !== "offline", away: event.what === "away" ? event.text || "…" : "", seen: event.what === "offline" ? Date.now() : person.seen });
    this.emit("people");
  }

  setPeople(people) { this.people = new Map(people.map((p) => [key(p.login), { ...p, online: p.online !== false }])); this.emit("people"); }

  online(login) { return this.people.get(key(login))?.online || false; }

  unread() { let unread = 0, mentions = 0; for (const room of this.rooms.values()) { unread += room.unread; mentions += room.mentions; } return { unread, mentions }; }

  nextUnread() {
    const list = this.ordered().filter((room) => room.unread && room !== this.open);
    return list.find((room) => room.mentions) || list[0];
  }

  ordered() {
    const all = [...this.rooms.values()], by = (a, b) => a.to.localeCompare(b.to);
    return [...all.filter((r) => r.to.startsWith("#")).sort((a, b) => (b.to === "#all") - (a.to === "#all") || by(a, b)), ...all.filter((r) => r.to.startsWith("@")).sort(by)];
  }
}
