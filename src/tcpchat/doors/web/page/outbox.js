// What was typed and is not accepted yet, in IndexedDB, and the device id whose numbering it
// belongs to.
// A message leaves this store only when the server has said that it is durable.
import { browser, tab } from "./dom.js";

const BEAT = 3000; // ms between two signs that this window is there
const DEAD = 10000; // ms: a window without a sign for so long has gone, its device may be taken over
const random = () =>
  [...crypto.getRandomValues(new Uint8Array(12))]
    .map((b) => b.toString(16).padStart(2, "0"))
    .join("");
const read = () => JSON.parse(browser.get("devices") || "{}");

// Devices of one browser share the part before the dot: the server knows by it that two windows are
// one guest.
export function claimDevice() {
  const table = read();
  const now = Date.now();
  const family = table.family || random();
  const kept = tab.get("device");
  // A reload finds its own device; a duplicated tab has copied the id of a window that still beats.
  const [visit] = /** @type {any[]} */ (performance.getEntriesByType("navigation"));
  const own = table[kept] < now - 2 * BEAT || visit?.type === "reload";
  const id =
    (own && kept) ||
    Object.keys(table).find((other) => table[other] < now - DEAD) ||
    `${family}.${random().slice(0, 6)}`;
  const beat = (at = Date.now()) =>
    browser.set("devices", JSON.stringify({ ...read(), family, [id]: at }));
  beat();
  tab.set("device", id);
  setInterval(beat, BEAT);
  addEventListener("pagehide", () => beat(0));
  return id;
}

/**
 * A message that is not accepted yet. n: its number in this device's order, 0 before it has one; log,
 * base, had: what was known of the server's log when it got that number; failed: why it was refused;
 * doubt: nobody knows whether it was sent.
 *
 * @typedef {{key: string, id: number, at: number, n: number, to: string, text: string, re?: number,
 *   kind?: string, log?: string, base?: number, had?: number, failed?: any, doubt?: any}} Item
 */

export class Outbox {
  /** @type {Item[]} in the order they were typed */
  items = [];
  durable = true; // false when this browser keeps nothing
  last = 0; // the newest id
  /** @type {IDBDatabase | null} */
  db = null;

  /**
   * @param {string} login
   * @param {string} device
   */
  constructor(login, device) {
    this.key = `${login.toLowerCase()}|${device}`;
  }

  async open() {
    try {
      this.db = await new Promise((done, fail) => {
        const ask = indexedDB.open("tcpchat", 1);
        ask.onupgradeneeded = () =>
          ask.result.createObjectStore("outbox", { keyPath: ["key", "id"] });
        ask.onsuccess = () => done(ask.result);
        ask.onerror = fail;
      });
      this.items =
        (await this.run((store) =>
          store.getAll(IDBKeyRange.bound([this.key, 0], [this.key, Infinity])),
        )) || [];
    } catch {
      this.durable = false;
    }
    for (const item of this.items) {
      if (item.doubt) {
        this.doubt(item);
      }
    }
    this.last = this.items.at(-1)?.id || 0;
    return this;
  }

  async run(action) {
    const { db } = this;
    if (!db) {
      return;
    }
    try {
      return await new Promise((done, fail) => {
        const work = db.transaction("outbox", "readwrite", { durability: "strict" });
        const ask = action(work.objectStore("outbox"));
        work.oncomplete = () => done(ask.result);
        work.onerror = fail;
        work.onabort = fail;
      });
    } catch {
      this.durable = false;
    }
  }

  // Resolves once the message is stored; only then may it be sent.
  async add(message) {
    const at = Date.now();
    const item = { key: this.key, id: Math.max(at, this.last + 1), at, n: 0, ...message };
    this.last = item.id;
    this.items.push(item);
    await this.put(item);
    return item;
  }

  // Nobody knows whether it was sent: a person decides, also after a reload.
  doubt(item) {
    item.failed = { text: "" };
    item.doubt = item.failed;
  }

  // Why it was refused is not kept: after a reload it is tried again.
  put(item) {
    const { failed, ...kept } = item;
    return this.run((store) => store.put(kept));
  }

  remove(item) {
    this.items = this.items.filter((other) => other !== item);
    return this.run((store) => store.delete([item.key, item.id]));
  }
}
