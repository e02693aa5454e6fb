// What the page knows: conversations, their messages, people, cursors. No DOM here.
const KEEP_HIDDEN = 200, KEEP_OPEN = 600, SLACK = 100;

const key = (to) => to.toLowerCase().replaceAll("_", " ");
export const same = (a, b) => key(a) === key(b);

class Room {
	constructor(to) {
		// mark: seq behind which the "unread" rule stands, marked: how many; gap: what is newer than the rows is not here
		Object.assign(this, { to, topic: "", unread: 0, mentions: 0, read: 0, delivered: 0, seen: 0, head: 0, mark: 0, marked: 0, draft: "", typing: new Map() });
		this.clear();
	}

	get isRoom() { return this.to[0] === "#"; }

	get name() { return this.to.slice(1); }

	clear() { Object.assign(this, { rows: [], bySeq: new Map(), loaded: false, start: false, gap: false }); }

	// Insert in order of seq. Live messages belong at the end, pages anywhere.
	put(row) {
		if (this.gap || this.bySeq.has(row.seq)) return false;
		this.bySeq.set(row.seq, row);
		let at = this.rows.length;
		while (at && this.rows[at - 1].seq > row.seq) at--;
		this.rows.splice(at, 0, row);
		return true;
	}

	trim(keep = KEEP_OPEN) {
		if (this.rows.length <= keep + SLACK) return false;
		for (const row of this.rows.splice(0, this.rows.length - keep)) this.bySeq.delete(row.seq);
		this.start = false;
		return true;
	}
}

export class Store {
	// on: who is told; attending() says whether a person looks at the end of the open conversation.
	constructor(attending) { Object.assign(this, { attending, rooms: new Map(), people: new Map(), me: "", base: 0 }); }

	room(to, make = true) {
		if (make && !this.rooms.has(key(to))) this.rooms.set(key(to), new Room(to));
		return this.rooms.get(key(to));
	}

	rename(from, to) {
		const room = this.room(from, false);
		if (!room) return;
		this.rooms.delete(key(from));
		this.rooms.set(key(to), room);
		room.to = to;
	}

	mine(login) { return same(login || "", this.me); }

	conversation({ to, by }) { return to[0] === "@" && !this.mine(by) ? "@" + by : to; }

	mention(text) {
		const words = text.toLowerCase(), me = this.me.toLowerCase();
		for (let at = words.indexOf(me); at >= 0; at = words.indexOf(me, at + 1)) {
			if (!/[\p{L}\p{N}_]/u.test((words[at - 1] || " ") + (words[at + me.length] || " "))) return true;
		}
	}

	row(event) {
		const own = this.mine(event.by);
		return event.t === "message" ? { ...event, said: true, own, mention: !own && this.mention(event.text) } : event;
	}

	// -- events of the server, by their names ------------------------------------------------------------------
	roomlist({ rooms }) {
		const here = rooms.map(({ to }) => key(to));
		for (const info of rooms) {
			const room = Object.assign(this.room(info.to), { topic: "", unread: 0, mentions: 0, read: 0 }, info);
			if (room.unread && !room.mark) Object.assign(room, { mark: room.read || 1, marked: room.unread });
		}
		for (const [id, room] of this.rooms) if (room.isRoom && !here.includes(id)) this.rooms.delete(id);
		this.on.drawn();
	}

	message(event) {
		const room = this.room(this.conversation(event)), row = this.row(event), open = room === this.open;
		if (room.bySeq.has(row.seq)) return;
		room.head = Math.max(room.head, row.seq);
		room.put(row);
		if (!open) room.trim(KEEP_HIDDEN);
		else if (room.rows.length > KEEP_OPEN + 4 * SLACK) room.gap = true; // read far above the end: fetched when wanted
		if (!row.own && row.seq > this.base && row.seq > room.read && !(open && this.attending())) {
			if (!room.unread) Object.assign(room, { mark: row.seq - 1, marked: 0 });
			room.unread++;
			room.marked++;
			if (row.mention || !room.isRoom) room.mentions++;
		}
		room.typing.delete(event.by);
		this.on.row(room, row);
	}

	event(event) {
		const { what, text, login } = event;
		if (what === "renamed") this.rename(event.room, text);
		const room = this.room(what === "renamed" ? text : event.room);
		if (what === "topic") room.topic = text || "";
		if (room.put(event)) this.on.row(room, event);
		if ((what === "left" || what === "kicked") && this.mine(login)) this.rooms.delete(key(room.to));
	}

	amended(event) {
		const room = this.room(this.conversation(event)), row = room.bySeq.get(event.target);
		if (row) this.on.changed(room, Object.assign(row, event.removed ? { removed: true, text: "" } : { text: event.text, edited: event.at }));
	}

	receipt({ to, seq, state, have, of }) {
		const room = this.room(to), row = room.bySeq.get(seq);
		if (state === "failed") { if (row) row.failed = true; } else if (!room.isRoom || have === of) {
			room.delivered = Math.max(room.delivered, seq);
			if (state === "read") room.seen = Math.max(room.seen, seq);
		}
		if (row && of > 1) Object.assign(row, { have, of });
		this.on.ticks(room);
	}

	markread({ to, seq }) {
		const room = this.room(to);
		if (seq <= room.read) return false;
		room.read = seq;
		const rest = seq < room.head ? room.rows.filter((row) => row.said && !row.own && row.seq > seq) : [];
		room.unread = rest.length;
		room.mentions = rest.filter((row) => row.mention || !room.isRoom).length;
		this.on.drawn();
		return true;
	}

	presence({ login, what, text }) {
		const person = { ...this.people.get(key(login)), login };
		if (what === "renamed") {
			if (this.mine(login)) this.me = text;
			this.people.delete(key(login));
			this.rename("@" + login, "@" + text);
			person.login = text;
		} else if (what === "away" || what === "back") person.away = text;
		else if (what === "online" || what === "offline") person.online = what === "online";
		this.people.set(key(person.login), person);
		this.on.drawn();
	}

	setPeople(people) {
		this.people = new Map(people.map((person) => [key(person.login), { online: true, ...person }]));
		this.on.drawn();
	}

	typing(event) { this.room(this.conversation(event)).typing.set(event.by, event.on === false ? 0 : Date.now() + 6000); }

	// Take a page of history; `query` is what it was asked with.
	page(room, page, query) {
		const { gap } = room;
		room.gap = false; // or nothing could be put
		for (const event of page.messages) if (event.t !== "amended") room.put(this.row(event));
		room.gap = query.after ? !!page.more : query.around ? (room.rows.at(-1)?.seq || 0) < room.head : gap;
		if (!query.after && !query.around) room.start = !page.more;
		room.loaded = true;
		room.delivered = Math.max(room.delivered, page.delivered || 0);
		room.seen = Math.max(room.seen, page.seen || 0);
	}

	// The server has a message of the outbox.
	accepted({ to, text, re, kind }, seq, at) {
		const room = this.room(to);
		room.head = Math.max(room.head, seq);
		if (seq) room.put(this.row({ t: "message", seq, at, by: this.me, to, text, re, kind }));
		return room.bySeq.get(seq);
	}

	stateOf(row, room) { return row.failed ? "failed" : row.seq <= room.seen ? "read" : row.seq <= room.delivered ? "delivered" : "accepted"; }

	online(login) { return this.people.get(key(login))?.online; }

	// Rooms first (#all before all), then people, by name.
	ordered() {
		const rank = ({ to, isRoom }) => (to === "#all" ? 0 : isRoom ? 1 : 2);
		return [...this.rooms.values()].sort((a, b) => rank(a) - rank(b) || a.to.localeCompare(b.to));
	}
}
