// What was typed and is not accepted yet, in IndexedDB, and the device id whose numbering it belongs to.
// A message leaves this store only when the server has said that it is durable.
const DEVICES = "tcpchat.devices";
const BEAT = 3000, DEAD = 10000; // ms: a window that has not beaten for DEAD has gone, its device may be taken over

const random = () => [...crypto.getRandomValues(new Uint8Array(12))].map((b) => b.toString(16).padStart(2, "0")).join("");
const read = () => { try { return JSON.parse(localStorage.getItem(DEVICES)) || {}; } catch { return {}; } };
const write = (table) => { try { localStorage.setItem(DEVICES, JSON.stringify(table)); } catch { /* private window: the device lives with the page */ } };

// Devices of one browser share the part before the dot: the server knows by it that two windows are one guest.
export function claimDevice() {
  const table = read(), now = Date.now();
  const family = table.family || (table.family = random());
  let kept = null;
  try { kept = sessionStorage.getItem("tcpchat.device"); } catch { /* no storage */ }
  const ids = Object.keys(table).filter((id) => id !== "family");
  // A reload finds its own device; a duplicated tab has copied the id of a window that still beats.
  let id = kept && table[kept] !== undefined && (table[kept] < now - BEAT * 2 || performance.getEntriesByType("navigation")[0]?.type === "reload") ? kept : null;
  id = id || ids.find((other) => table[other] < now - DEAD) || `${family}.${random().slice(0, 6)}`;
  const beat = () => { const all = read(); all.family = family; all[id] = Date.now(); write(all); };
  table[id] = now; write(table); beat();
  try { sessionStorage.setItem("tcpchat.device", id); } catch { /* no storage */ }
  setInterval(beat, BEAT);
  addEventListener("pagehide", () => { const all = read(); all[id] = 0; write(all); });
  return id;
}

export class Outbox {
  constructor(login, device) { this.key = `${login.toLowerCase()}|${device}`; this.items = []; this.db = null; this.durable = true; }

  async open() {
    try {
      this.db = await new Promise((done, fail) => {
        const ask = indexedDB.open("tcpchat", 1);
        ask.onupgradeneeded = () => ask.result.createObjectStore("outbox", { keyPath: ["key", "id"] });
        ask.onsuccess = () => done(ask.result);
        ask.onerror = () => fail(ask.error);
      });
      const range = IDBKeyRange.bound([this.key, 0], [this.key, Infinity]);
      this.items = await this.run("readonly", (store) => store.getAll(range));
    } catch { this.durable = false; }
    this.last = this.items.reduce((max, item) => Math.max(max, item.id), 0);
    return this;
  }

  run(mode, action) {
    return new Promise((done, fail) => {
      const tx = this.db.transaction("outbox", mode, mode === "readwrite" ? { durability: "strict" } : undefined);
      const ask = action(tx.objectStore("outbox"));
      tx.oncomplete = () => done(ask.result);
      tx.onerror = tx.onabort = () => fail(tx.error);
    });
  }

  // Resolves once the message is stored; only then may it be sent.
  async add(item) {
    const full = { key: this.key, id: Math.max(Date.now(), this.last + 1), at: Date.now(), n: 0, ...item };
    this.last = full.id;
    this.items.push(full);
    await this.put(full);
    return full;
  }

  async put(item) {
    if (!this.db) return;
    const { failed, sentOn, ...plain } = item;
    try { await this.run("readwrite", (store) => store.put(plain)); } catch { this.durable = false; }
  }

  async remove(item) {
    this.items = this.items.filter((other) => other !== item);
    if (this.db) try { await this.run("readwrite", (store) => store.delete([item.key, item.id])); } catch { this.durable = false; }
  }
}
