// The connection (net.js), with the real store and outbox, against the conversations that every client is
// tested with; see tests/data/conversations/README.md.
import assert from "node:assert/strict";
import { createPrivateKey, createPublicKey, verify } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { install, Socket } from "./browser.mjs";

const clock = install();
const { Net } = await import("../../src/tcpchat/doors/web/page/net.js");
const { Outbox } = await import("../../src/tcpchat/doors/web/page/outbox.js");
const { Store } = await import("../../src/tcpchat/doors/web/page/store.js");

const FOLDER = new URL("../data/conversations/", import.meta.url);
const COUNTED = ["hello", "proof", "password", "say", "bye"];
const ENOUGH = 120_000; // ms in which anything that a client does by itself must have happened
const PKCS8 = "302e020100300506032b657004220420"; // what stands before the 32 bytes of an Ed25519 key

/** Everything that can go on without time passing has gone on. */
async function settled(done = () => true) {
  for (let turn = 0; turn < 5 || (turn < 20_000 && !done()); turn++) {
    await new Promise((resolve) => setImmediate(resolve));
  }
}

async function keyOf(hex) {
  const der = Buffer.from(PKCS8 + hex, "hex");
  const publicKey = createPublicKey(createPrivateKey({ key: der, format: "der", type: "pkcs8" }));
  const privateKey = await crypto.subtle.importKey("pkcs8", der, "Ed25519", false, ["sign"]);
  return {
    publicKey,
    pair: { privateKey, key: `ed25519:${publicKey.export({ format: "jwk" }).x}` },
  };
}

const empty = (value) => !value || (Array.isArray(value) && !value.length);

function fits(wanted, found) {
  for (const [name, value] of Object.entries(wanted)) {
    if (value === "*") {
      assert.ok(!empty(found[name]), `${name} is empty`);
    } else if (!(empty(value) && empty(found[name]))) {
      assert.deepEqual(found[name], value, name);
    }
  }
}

class Replay {
  sent = []; // commands that count
  told = {}; // outcomes by their kind
  confirmed = 0;
  asked = false; // is the next ping one that counts?
  nonce = "";
  socket = null;

  async begin({ login, device, key, password }) {
    clock.timers.clear();
    Socket.all = [];
    this.head = { login, password };
    this.key = key ? await keyOf(key) : null;
    this.store = new Store(() => false);
    this.store.me = login;
    this.store.on = { changed() {}, ticks() {}, drawn() {}, row: (_, row) => this.shown(row) };
    this.net = new Net(device);
    this.net.on = this.listener();
    this.net.key = this.key?.pair;
    this.net.outbox = await new Outbox(login, device).open();
  }

  tell(what, outcome = {}) {
    this.told[what] ||= [];
    this.told[what].push({ what, ...outcome });
  }

  shown({ own, seq, text }) {
    if (!own) {
      this.tell("message", { seq, text });
    }
  }

  listener() {
    return {
      state() {},
      latency() {},
      queued() {},
      welcome: ({ set }) => {
        if (set) {
          this.tell("set_back", { seq: set });
          this.store.rooms.clear();
        }
        this.tell("online");
      },
      accepted: ({ item, seq, at }) => {
        this.tell("accepted", { text: item.text, seq });
        this.store.accepted(item, seq, at);
      },
      waits: ({ item, event }) => this.tell("waits", { text: item.text, code: event.code }),
      failed: ({ item, event }) => this.tell("failed", { text: item.text, code: event.code }),
      doubt: (item) => this.tell("unknown", { text: item.text }),
      event: (event) => this.store.take(event),
      fatal: ({ code }) => this.tell("ended", { again: false, code }),
    };
  }

  // What the page has said since it was last looked at.
  look() {
    for (const command of this.socket?.sent.splice(0) || []) {
      if (command.t === "confirm") {
        this.confirmed = command.seq;
      } else if (COUNTED.includes(command.t) || (command.t === "pong" && command.token)) {
        this.sent.push(command);
      } else if (command.t === "ping" && this.asked) {
        this.asked = false;
        this.sent.push(command);
      } else if (command.t === "ping") {
        this.socket.hear({ t: "pong", token: command.token });
      }
    }
  }

  // Let time pass until something is so.
  async until(done, until = clock.now + ENOUGH) {
    this.look();
    while (!done() && clock.step(until)) {
      await settled();
      this.look();
    }
  }

  async play(step) {
    const [[verb, value]] = Object.entries(step);
    if (!["client", "told", "say"].includes(verb)) {
      assert.deepEqual(this.sent, [], "it said more than it should");
    }
    await this[`on_${verb}`](value);
    await settled();
    this.look();
  }

  async on_open() {
    const tries = Socket.all.length;
    if (tries) {
      await this.until(() => Socket.all.length > tries);
    } else {
      this.net.start(this.head.login, this.head.password || "");
    }
    this.confirmed = 0;
    this.socket = Socket.all.at(-1);
    this.socket.closed = () => {
      if (this.net.wanted) {
        this.tell("ended", { again: true });
      }
    };
    this.socket.open();
  }

  async on_client(wanted) {
    if (wanted.t === "confirm") {
      await this.until(() => this.confirmed >= wanted.seq, clock.now + 100);
      assert.equal(this.confirmed, wanted.seq);
      return;
    }
    await settled(() => {
      this.look();
      return this.sent.length;
    });
    assert.ok(this.sent.length, "it says nothing");
    const found = this.sent.shift();
    fits(wanted, found);
    if (wanted.t === "proof") {
      const text = Buffer.from(`tcpchat-auth-1\n${this.nonce}\n${this.head.login}\n`);
      assert.ok(verify(null, text, this.key.publicKey, Buffer.from(found.signature, "base64url")));
    }
  }

  on_server(event) {
    this.nonce = event.nonce ?? this.nonce;
    this.socket.hear(event);
  }

  on_cut() {
    this.socket.cut();
  }

  on_say(message) {
    return this.net.say(message);
  }

  on_taken() {}

  async on_pass(value) {
    if (value === "ping") {
      this.asked = true;
      await this.until(() => !this.asked);
      assert.ok(!this.asked, "it does not ask");
    } else if (value === "dead") {
      await this.until(() => this.socket.readyState >= 2);
    } else {
      const end = clock.now + value * 1000;
      await this.until(() => false, end);
      clock.now = end;
    }
  }

  on_told(wanted) {
    const found = this.told[wanted.what]?.shift();
    assert.ok(found, "it does not tell");
    const { code, ...fields } = wanted;
    fits(fields, found);
    assert.ok(
      code === undefined || [code].flat().includes(found.code),
      `the code is ${found.code}`,
    );
  }
}

for (const file of readdirSync(FOLDER).filter((name) => name.endsWith(".jsonl"))) {
  const lines = readFileSync(new URL(file, FOLDER), "utf8").trim().split("\n");
  const [head, ...rest] = lines.map((line) => JSON.parse(line));
  const mine = !head.clients || head.clients.includes("page");
  test(`${file}: ${head.conversation}`, { skip: !mine && "another client's" }, async () => {
    const replay = new Replay();
    await replay.begin(head);
    for (const [i, step] of rest.entries()) {
      try {
        await replay.play(step);
      } catch (error) {
        error.message = `${file}:${i + 2} ${lines[i + 1]}: ${error.message}`;
        throw error;
      }
    }
    assert.deepEqual(replay.sent, [], "it said more than it should");
    assert.deepEqual(Object.values(replay.told).flat(), [], "it told more than it should");
  });
}
