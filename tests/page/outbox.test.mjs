import assert from "node:assert/strict";
import { test } from "node:test";
import { Database, install, provide } from "./browser.mjs";

const clock = install();
const { claimDevice, Outbox } = await import("../../src/tcpchat/doors/web/page/outbox.js");

const fresh = () => {
  const database = new Database();
  provide("indexedDB", database);
  return database;
};
const texts = ({ items }) => items.map(({ text }) => text);

test("what was typed is there after a reload, in order, until it is accepted", async () => {
  fresh();
  const box = await new Outbox("Alice", "d1").open();
  const one = await box.add({ to: "#all", text: "one" });
  await box.add({ to: "#all", text: "two" });
  assert.deepEqual(texts(await new Outbox("alice", "d1").open()), ["one", "two"]);
  await box.remove(one);
  assert.deepEqual(texts(box), ["two"]);
  assert.deepEqual(texts(await new Outbox("alice", "d1").open()), ["two"]);
});

test("each login and each device has its own", async () => {
  fresh();
  const box = await new Outbox("alice", "d1").open();
  await box.add({ to: "#all", text: "one" });
  assert.deepEqual(texts(await new Outbox("bob", "d1").open()), []);
  assert.deepEqual(texts(await new Outbox("alice", "d2").open()), []);
});

test("messages of one moment, and after a clock that went back, keep their order", async () => {
  fresh();
  const box = await new Outbox("alice", "d1").open();
  const ids = [];
  for (const text of ["one", "two", "three"]) {
    ids.push((await box.add({ to: "#all", text })).id);
    clock.now -= 5000;
  }
  assert.deepEqual(
    ids,
    [...ids].sort((a, b) => a - b),
  );
  assert.equal(new Set(ids).size, 3);
  const again = await new Outbox("alice", "d1").open();
  assert.ok((await again.add({ to: "#all", text: "four" })).id > ids[2]);
  assert.deepEqual(texts(again), ["one", "two", "three", "four"]);
});

test("a number is kept, a refusal is not, a doubt is", async () => {
  fresh();
  const box = await new Outbox("alice", "d1").open();
  const item = await box.add({ to: "#all", text: "one" });
  item.n = 7;
  item.failed = { code: "muted", text: "You are muted here." };
  await box.put(item);
  const doubtful = await box.add({ to: "#all", text: "two" });
  box.doubt(doubtful);
  await box.put(doubtful);
  const [one, two] = (await new Outbox("alice", "d1").open()).items;
  assert.deepEqual([one.n, one.failed], [7, undefined]);
  assert.deepEqual([two.failed, two.doubt], [{ text: "" }, { text: "" }]);
});

test("a browser that keeps nothing: messages go out all the same, and it is known", async () => {
  fresh().broken = true;
  const box = await new Outbox("alice", "d1").open();
  assert.equal(box.durable, false);
  await box.add({ to: "#all", text: "one" });
  assert.deepEqual(texts(box), ["one"]);
});

test("a disk that fills up while the page is open", async () => {
  const database = fresh();
  const box = await new Outbox("alice", "d1").open();
  assert.equal(box.durable, true);
  database.broken = true;
  await box.add({ to: "#all", text: "one" });
  assert.deepEqual([box.durable, texts(box)], [false, ["one"]]);
});

test("two windows of a browser are two devices of one family; a window that has gone leaves its own", () => {
  const first = claimDevice();
  sessionStorage.kept.clear();
  const second = claimDevice();
  assert.notEqual(first, second);
  assert.equal(first.split(".")[0], second.split(".")[0]);
  clock.timers.clear(); // both have gone
  clock.now += 60_000;
  sessionStorage.kept.clear();
  assert.ok([first, second].includes(claimDevice()));
});
