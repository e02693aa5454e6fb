import assert from "node:assert/strict";
import { test } from "node:test";
import { Store, same } from "../../src/tcpchat/doors/web/page/store.js";

/** A store that remembers whom it told what. */
function made({ attending = false, me = "alice" } = {}) {
  const store = new Store(() => attending);
  const told = [];
  store.me = me;
  store.on = {
    row: (room, row) => told.push(["row", room.to, row.seq]),
    changed: (room, row) => told.push(["changed", room.to, row.seq]),
    ticks: (room) => told.push(["ticks", room.to]),
    drawn: () => told.push(["drawn"]),
  };
  return { store, told };
}

const message = (seq, by, to, text = "quack") => ({ t: "message", seq, at: seq, by, to, text });

test("names are the same in any case, with blanks or underlines", () => {
  assert.ok(same("#Two Words", "#two_words"));
  assert.ok(!same("#two", "@two"));
});

test("a message comes into its room, a direct one into that of who wrote it", () => {
  const { store, told } = made();
  store.take(message(1, "bob", "#all"));
  store.take(message(2, "bob", "@alice"));
  store.take(message(3, "alice", "@bob"));
  assert.deepEqual([...store.rooms.keys()], ["#all", "@bob"]);
  assert.deepEqual(
    store.room("@bob").rows.map(({ seq, own }) => [seq, own]),
    [
      [2, false],
      [3, true],
    ],
  );
  assert.deepEqual(told, [
    ["row", "#all", 1],
    ["row", "@bob", 2],
    ["row", "@bob", 3],
  ]);
});

test("a message that comes twice is one", () => {
  const { store, told } = made();
  store.take(message(1, "bob", "#all"));
  store.take(message(1, "bob", "#all"));
  assert.equal(store.room("#all").rows.length, 1);
  assert.equal(store.room("#all").unread, 1);
  assert.equal(told.length, 1);
});

test("rows stand in order of seq, whatever order they come in", () => {
  const { store } = made();
  for (const seq of [5, 2, 9, 1, 7]) {
    store.take(message(seq, "bob", "#all"));
  }
  assert.deepEqual(
    store.room("#all").rows.map(({ seq }) => seq),
    [1, 2, 5, 7, 9],
  );
});

test("unread counts what others wrote after the login, and mentions", () => {
  const { store } = made();
  store.base = 10;
  store.take(message(10, "bob", "#all", "before"));
  store.take(message(11, "alice", "#all", "my own"));
  store.take(message(12, "bob", "#all", "hello alice!"));
  store.take(message(13, "bob", "#all", "malice is no alices"));
  const room = store.room("#all");
  assert.deepEqual([room.unread, room.mentions, room.mark, room.marked], [2, 1, 11, 2]);
  assert.ok(store.markread({ to: "#all", seq: 12 }));
  assert.deepEqual([room.unread, room.mentions], [1, 0]);
  assert.ok(!store.markread({ to: "#all", seq: 12 }));
});

test("nothing is unread where a person looks", () => {
  const { store } = made({ attending: true });
  store.open = store.room("#all");
  store.take(message(1, "bob", "#all"));
  assert.equal(store.room("#all").unread, 0);
});

test("an edit and a deletion change the row that they name", () => {
  const { store, told } = made();
  store.take(message(1, "bob", "#all"));
  const amended = { t: "amended", seq: 2, at: 2, by: "bob", to: "#all", target: 1 };
  store.take({ ...amended, text: "better" });
  assert.deepEqual(
    [store.room("#all").rows[0].text, store.room("#all").rows[0].edited],
    ["better", 2],
  );
  store.take({ ...amended, seq: 3, removed: true });
  assert.deepEqual(
    [store.room("#all").rows[0].text, store.room("#all").rows[0].removed],
    ["", true],
  );
  store.take({ ...amended, target: 77, text: "of nothing" });
  assert.deepEqual(told.slice(1), [
    ["changed", "#all", 1],
    ["changed", "#all", 1],
  ]);
});

test("ticks: accepted, delivered, read, failed", () => {
  const { store } = made();
  const row = store.accepted({ to: "@bob", text: "quack" }, 4, 4);
  const room = store.room("@bob");
  assert.equal(store.stateOf(row, room), "accepted");
  store.take({ t: "receipt", to: "@bob", seq: 4, state: "delivered" });
  assert.equal(store.stateOf(row, room), "delivered");
  store.take({ t: "receipt", to: "@bob", seq: 4, state: "read" });
  assert.equal(store.stateOf(row, room), "read");
  store.take({ t: "receipt", to: "@bob", seq: 4, state: "failed" });
  assert.equal(store.stateOf(row, room), "failed");
});

test("in a room a message is delivered when everybody has it", () => {
  const { store } = made();
  const row = store.accepted({ to: "#all", text: "quack" }, 4, 4);
  store.take({ t: "receipt", to: "#all", seq: 4, state: "delivered", have: 1, of: 2 });
  assert.deepEqual([store.stateOf(row, store.room("#all")), row.have, row.of], ["accepted", 1, 2]);
  store.take({ t: "receipt", to: "#all", seq: 4, state: "delivered", have: 2, of: 2 });
  assert.equal(store.stateOf(row, store.room("#all")), "delivered");
});

test("a person's new name takes the conversation along", () => {
  const { store } = made();
  store.setPeople([{ login: "bob" }]);
  store.take(message(1, "bob", "@alice"));
  store.take({ t: "presence", login: "bob", what: "renamed", text: "robert" });
  assert.equal(store.find("@bob"), undefined);
  assert.equal(store.room("@robert").rows.length, 1);
  assert.ok(store.online("robert"));
  assert.ok(!store.online("bob"));
  store.take({ t: "presence", login: "alice", what: "renamed", text: "eve" });
  assert.equal(store.me, "eve");
});

test("who goes offline and comes back, away and back", () => {
  const { store } = made();
  store.take({ t: "presence", login: "bob", what: "online" });
  store.take({ t: "presence", login: "bob", what: "away", text: "lunch" });
  assert.deepEqual(store.people.get("bob"), { login: "bob", online: true, away: "lunch" });
  store.take({ t: "presence", login: "bob", what: "offline" });
  assert.ok(!store.online("bob"));
});

test("rooms come and go by the list and by events", () => {
  const { store } = made();
  store.take({ t: "roomlist", rooms: [{ to: "#all" }, { to: "#ops", unread: 3, read: 5 }] });
  assert.deepEqual([store.room("#ops").unread, store.room("#ops").mark], [3, 5]);
  store.take({ t: "event", seq: 6, at: 6, room: "#ops", what: "topic", by: "bob", text: "ducks" });
  assert.equal(store.room("#ops").topic, "ducks");
  store.take({
    t: "event",
    seq: 7,
    at: 7,
    room: "#ops",
    what: "renamed",
    by: "bob",
    text: "#pond",
  });
  assert.equal(store.find("#ops"), undefined);
  assert.equal(store.room("#pond").rows.length, 2);
  store.take({
    t: "event",
    seq: 8,
    at: 8,
    room: "#pond",
    what: "kicked",
    by: "bob",
    login: "alice",
  });
  assert.equal(store.find("#pond"), undefined);
  store.room("#old");
  store.room("@bob");
  store.take({ t: "roomlist", rooms: [{ to: "#all" }] });
  assert.deepEqual([...store.rooms.keys()], ["#all", "@bob"]);
});

test("a page of history: before, after, around", () => {
  const { store } = made();
  const room = store.room("#all");
  store.page(
    room,
    { messages: [message(8, "bob", "#all")], more: true, delivered: 8 },
    { before: 9 },
  );
  assert.deepEqual([room.loaded, room.start, room.gap, room.delivered], [true, false, false, 8]);
  store.page(room, { messages: [message(1, "bob", "#all")] }, { before: 8 });
  assert.equal(room.start, true);
  room.head = 20;
  store.page(room, { messages: [message(9, "bob", "#all")], more: true }, { after: 8 });
  assert.equal(room.gap, true);
  store.take(message(21, "bob", "#all"));
  assert.deepEqual(
    room.rows.map(({ seq }) => seq),
    [1, 8, 9],
    "nothing is put after a gap",
  );
  room.clear();
  store.page(room, { messages: [message(21, "bob", "#all")] }, { around: 21 });
  assert.equal(room.gap, false);
});

test("a hidden conversation keeps a bounded number of rows", () => {
  const { store } = made();
  for (let seq = 1; seq <= 1000; seq++) {
    store.take(message(seq, "bob", "#all"));
  }
  const room = store.room("#all");
  assert.ok(room.rows.length <= 300 && room.rows.length >= 200);
  assert.equal(room.bySeq.size, room.rows.length);
  assert.equal(room.rows.at(-1).seq, 1000);
});

test("who types, for some seconds", () => {
  const { store } = made();
  store.take({ t: "typing", by: "bob", to: "#all" });
  assert.ok(store.room("#all").typing.get("bob") > Date.now());
  store.take({ t: "typing", by: "bob", to: "#all", on: false });
  assert.equal(store.room("#all").typing.get("bob"), 0);
});

test("the server can call nothing that is not an event of the chat", () => {
  const { store, told } = made();
  store.room("#all");
  for (const t of [
    "setPeople",
    "constructor",
    "take",
    "rename",
    "page",
    "accepted",
    "people",
    "on",
    "room",
    "__proto__",
  ]) {
    assert.equal(
      store.take({ t, to: "#all", seq: 1, people: [], messages: [], rooms: [] }),
      undefined,
    );
  }
  assert.deepEqual(told, []);
  assert.deepEqual([...store.rooms.keys()], ["#all"]);
});

test("rooms stand before people, #all first", () => {
  const { store } = made();
  for (const to of ["@zoe", "#b", "@adam", "#all", "#a"]) {
    store.room(to);
  }
  assert.deepEqual(
    store.ordered().map(({ to }) => to),
    ["#all", "#a", "#b", "@adam", "@zoe"],
  );
});
