// What the page's modules need of a browser, for tests under node: a clock that is set by hand, sockets
// that are opened and cut by the test, storage, and no screen.
import { webcrypto } from "node:crypto";

/** Give a global another value; some are read-only in some versions of node. */
function provide(name, value) {
  Object.defineProperty(globalThis, name, { value, configurable: true, writable: true });
}

/** The time, and what is to happen later. */
export class Clock {
  now = 1_700_000_000_000; // ms
  timers = new Map();
  last = 0;

  install() {
    provide("setTimeout", (act, wait = 0) => this.add(act, wait, 0));
    provide("setInterval", (act, wait) => this.add(act, wait, wait));
    provide("clearTimeout", (id) => this.timers.delete(id));
    provide("performance", { now: () => this.now, getEntriesByType: () => [] });
    Date.now = () => this.now;
  }

  add(act, wait, every) {
    this.timers.set(++this.last, { act, at: this.now + wait, every });
    return this.last;
  }

  /** Let the next thing happen; false when there is none up to this time. */
  step(until = Number.POSITIVE_INFINITY) {
    const due = [...this.timers].sort(([, a], [, b]) => a.at - b.at)[0];
    if (!due || due[1].at > until) {
      return false;
    }
    const [id, timer] = due;
    this.now = Math.max(this.now, timer.at);
    if (timer.every) {
      timer.at += timer.every;
    } else {
      this.timers.delete(id);
    }
    timer.act();
    return true;
  }
}

/** A WebSocket whose other end is the test. */
export class Socket {
  static all = [];
  readyState = 0;
  sent = [];
  closed = () => {}; // is told when the page closes it

  constructor(url, protocols) {
    this.url = url;
    this.protocols = protocols;
    Socket.all.push(this);
  }

  open() {
    this.readyState = 1;
    this.onopen();
  }

  send(text) {
    this.sent.push(JSON.parse(text));
  }

  hear(...events) {
    this.onmessage?.({ data: events.map((event) => JSON.stringify(event)).join("\n") });
  }

  close() {
    if (this.readyState < 2) {
      this.readyState = 2;
      this.closed();
    }
  }

  cut() {
    this.readyState = 3;
    this.onclose?.();
  }
}

class Storage {
  kept = new Map();

  getItem(key) {
    return this.kept.get(key) ?? null;
  }

  setItem(key, value) {
    this.kept.set(key, String(value));
  }
}

/** IndexedDB as the outbox uses it: one store, keys of two parts; what is stored is copied. */
export class Database {
  kept = new Map();
  broken = false;

  open() {
    const ask = { result: this };
    queueMicrotask(() => (this.broken ? ask.onerror?.(new Error("broken")) : ask.onsuccess?.()));
    return ask;
  }

  transaction() {
    const work = { objectStore: () => this };
    queueMicrotask(() => (this.broken ? work.onabort?.(new Error("full")) : work.oncomplete?.()));
    return work;
  }

  put(value) {
    if (!this.broken) {
      this.kept.set(JSON.stringify([value.key, value.id]), structuredClone(value));
    }
    return {};
  }

  delete(key) {
    this.kept.delete(JSON.stringify(key));
    return {};
  }

  getAll({ from }) {
    const found = [...this.kept.values()].filter(({ key }) => key === from[0]);
    return { result: structuredClone(found.sort((a, b) => a.id - b.id)) };
  }
}

/** Make node look like a browser window; call it before the page's modules are imported. */
export function install() {
  const clock = new Clock();
  const node = () => ({ addEventListener() {}, hidden: false });
  clock.install();
  provide("window", globalThis);
  provide("document", { ...node(), getElementById: () => node() });
  provide("navigator", { languages: ["en"] });
  provide("location", { href: "http://localhost:6060/#/r/all" });
  provide("addEventListener", () => {});
  provide("localStorage", new Storage());
  provide("sessionStorage", new Storage());
  provide("WebSocket", Socket);
  provide("IDBKeyRange", { bound: (from, to) => ({ from, to }) });
  if (!globalThis.crypto) {
    provide("crypto", webcrypto);
  }
  return clock;
}

export { provide };
