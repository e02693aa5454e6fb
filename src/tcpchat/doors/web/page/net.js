// The connection: WebSocket with the native protocol inside, resume by cursor, the outbox sent in
// order,
// once.
import { forget, keep, make, prove } from "./keys.js";

// All in ms. A connection that can be had again is found within three seconds; after TRIES attempts
// they are made less often.
const BACK_OFF = [300, 600, 1200, 2000];
const TRIES = 40;
const LATER = 5000;
const BEAT = 2500; // how often the connection is looked at
const PING = 7500; // without a byte until the server is asked
const SILENCE = 6000; // and from then on until the connection is dead
const PROBE = 2500; // the same after waking up, when a dead connection is likely
const OPENING = 3000; // until an attempt is given up; more where connections were slow before
const OPENING_MAX = 20000;
const WINDOW = 64; // messages on their way at once, when the server names no number

/** @typedef {import("./outbox.js").Item} Item */

export class Net {
  /** "offline", "connecting", "online", "waiting" for the next attempt, or "refused" */
  state = "offline";
  wanted = false; // is a connection wanted?
  login = "";
  password = "";
  nonce = "";
  /** @type {{key: string, privateKey: CryptoKey} | null | undefined} this browser's key for the login */
  key = null;
  /** Who is told; see app.js. @type {any} */
  on = {};
  /** @type {any} the outbox of this login */
  outbox = { items: [] };
  /** @type {WebSocket | null} */
  socket = null;

  /** @type {any} seq up to which everything has come; null before the first welcome */
  head = null;
  log = ""; // which log these seqs are of
  known = 0; // the highest seq ever told of
  base = 0; // where the log ended at the last welcome
  confirmed = 0; // seq up to which the server knows that all has come

  n = 0; // the last number given to a message
  had = 0; // the last number accepted
  window = WINDOW; // messages on their way at once
  maxText = 0; // bytes of one message
  /** @type {Item[]} sent, and not answered yet */
  flight = [];
  hold = 0; // nothing is sent before this time
  pumping = false;
  again = false; // look at the outbox once more

  ref = 0; // the last number given to a command with an answer
  /** @type {Map<number, {done: Function, fail: Function}>} */
  refs = new Map();

  tries = 0; // attempts to connect, since the last one that succeeded
  since = 0; // when the connection was lost
  next = 0; // when the next attempt begins
  begun = 0; // when the present attempt began
  took = 0; // how long the last successful one took
  patience = OPENING; // how long the present one may take
  heard = 0; // when the last byte came
  asked = 0; // until when an answer to a ping is awaited; 0 when none is
  pinged = 0; // when it was sent
  beat = 0; // when the connection was last looked at
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  timer = undefined;
  /** @type {any} */
  confirming = 0;

  /** @param {string} device */
  constructor(device) {
    this.device = device;
    for (const name of ["online", "offline", "pageshow", "focus"]) {
      addEventListener(name, () => this.now());
    }
    for (const name of ["visibilitychange", "resume"]) {
      document.addEventListener(name, () => {
        if (!document.hidden) {
          this.now();
        }
      });
    }
    /** @type {any} */ (navigator).connection?.addEventListener?.("change", () => this.now());
    setInterval(() => this.heartbeat(), BEAT);
  }

  start(login, password) {
    this.login = login;
    this.password = password;
    this.wanted = true;
    this.connect();
  }

  stop() {
    this.wanted = false;
    this.send({ t: "bye" });
    this.socket?.close();
  }

  // Something has changed (awake, another network, looked at again): is the connection there?
  now() {
    if (!this.wanted) {
      return;
    }
    const quiet = performance.now() - this.heard;
    if (this.state === "waiting") {
      this.connect();
    } else if (this.state === "connecting" && this.heard === this.begun && quiet > 1000) {
      this.drop();
    } else if (this.state === "online" && quiet > 1000) {
      this.ping(PROBE);
    }
  }

  connect() {
    clearTimeout(this.timer);
    this.setState("connecting");
    const url = new URL(".", location.href.split("#")[0].replace(/^http/, "ws"));
    const socket = new WebSocket(url, ["tcpchat.v1"]);
    this.socket = socket;
    this.begun = performance.now();
    this.heard = this.begun;
    this.asked = 0;
    // An attempt that hangs is given up. There is more time where it took long before, and when
    // nothing
    // else helps.
    this.patience = Math.min(
      Math.max(OPENING, 4 * (this.took || 0)) * 2 ** (this.tries >> 4),
      OPENING_MAX,
    );
    socket.onopen = () => this.hello();
    socket.onmessage = ({ data }) => {
      this.heard = performance.now();
      this.asked = 0;
      for (const line of data.split("\n")) {
        if (line) {
          this.take(JSON.parse(line));
        }
      }
    };
    socket.onclose = () => {
      if (this.socket === socket) {
        this.lost();
      }
    };
  }

  hello() {
    this.log ||= this.outbox.items.find((item) => item.log)?.log || "";
    this.send({
      t: "hello",
      login: this.login,
      device: this.device,
      label: "web",
      key: this.key?.key || "",
      log: this.log,
      seen: this.known,
      ...(this.head !== null && { after: this.head }),
    });
  }

  // A dead socket may take minutes to say so: leave it alone, begin anew.
  drop() {
    const { socket } = this;
    if (!socket) {
      return;
    }
    this.socket = null;
    socket.onmessage = null;
    socket.close();
    this.lost();
  }

  lost() {
    this.socket = null;
    this.flight = [];
    for (const wait of this.refs.values()) {
      wait.fail({ code: "offline", text: "" });
    }
    this.refs.clear();
    if (!this.wanted) {
      return;
    }
    this.since ||= Date.now();
    const tries = this.tries++;
    const delay =
      (tries > TRIES ? LATER : BACK_OFF[Math.min(tries, BACK_OFF.length - 1)]) *
      (0.5 + Math.random() / 2);
    this.next = Date.now() + delay;
    this.timer = setTimeout(() => this.connect(), delay);
    this.setState("waiting");
  }

  setState(state) {
    this.state = state;
    this.on.state();
  }

  heartbeat() {
    const now = performance.now();
    const slept = Date.now() - this.beat > 4 * BEAT;
    this.beat = Date.now();
    if (this.state === "connecting") {
      // Once it answers it may take its time: it may have passwords to check.
      if (now - this.heard > (this.heard > this.begun ? OPENING_MAX : this.patience)) {
        this.drop();
      }
    } else if (this.state !== "online") {
      return;
    } else if (this.asked && now > this.asked) {
      this.drop();
    } else if (slept) {
      this.now();
    } else if (now - this.heard > PING) {
      this.ping(SILENCE);
    }
  }

  // Ask for a sign of life; without one in time the connection is dead.
  ping(patience) {
    if (this.asked) {
      return;
    }
    this.pinged = performance.now();
    this.asked = this.pinged + patience;
    this.send({ t: "ping", token: "web" });
    setTimeout(() => this.heartbeat(), patience + 10);
  }

  send(command) {
    if (this.socket?.readyState === 1) {
      this.socket.send(JSON.stringify(command));
    }
  }

  // A command with an answer. Rejects with {code, text} when refused or offline.
  ask(command) {
    if (this.state !== "online") {
      return Promise.reject({ code: "offline", text: "" });
    }
    const ref = ++this.ref;
    this.send({ ...command, ref });
    return new Promise((done, fail) => this.refs.set(ref, { done, fail }));
  }

  take(event) {
    if (event.seq > this.head && /^(message|event|amended)$/.test(event.t)) {
      this.advance(event.seq);
    }
    const wait = this.refs.get(event.ref);
    this.refs.delete(event.ref);
    if (!wait) {
      this.handle(event);
    } else if (event.t === "refused") {
      wait.fail(event);
    } else {
      wait.done(event);
    }
  }

  // What concerns the connection itself; all else is for the store.
  handle(event) {
    switch (event.t) {
      case "challenge":
        return this.challenged(event);
      case "welcome":
        return this.welcomed(event);
      case "forked":
        this.log = event.log;
        return;
      case "accepted":
        return this.accepted(event);
      case "refused":
        return this.refused(event);
      case "ping":
        return this.send({ t: "pong", token: event.token });
      case "pong":
        return this.on.latency(Math.round(performance.now() - this.pinged));
      case "bye":
        return this.dismissed(event);
      default:
        this.on.event(event);
    }
  }

  // Say that the page has everything up to here: soon, so that many make one; at once where timers
  // sleep.
  advance(seq) {
    this.head = seq;
    this.known = Math.max(this.known, seq);
    if (document.hidden) {
      this.confirm();
    } else {
      this.confirming ||= setTimeout(() => this.confirm(), 20);
    }
  }

  confirm() {
    this.confirming = 0;
    if (this.state === "online" && this.head > this.confirmed) {
      this.confirmed = this.head;
      this.send({ t: "confirm", seq: this.confirmed });
    }
  }

  async challenged({ methods, nonce, login, server }) {
    this.nonce = nonce;
    if (this.password && methods.includes("password")) {
      this.send({ t: "password", password: this.password });
    } else if (this.key && methods.includes("key")) {
      this.send({ t: "proof", ...(await prove(this.key, nonce, login, server)) });
    } else {
      this.fatal({ code: "claimed" });
    }
  }

  // Logged in by password: from now on by a key of this browser.
  async adopt(login) {
    if (this.password && this.nonce) {
      try {
        const key = await make();
        await this.ask({
          t: "key",
          do: "add",
          label: "web",
          ...(await prove(key, this.nonce, login)),
        });
        await keep(login, key);
        this.key = key;
        this.password = "";
      } catch {} // no https, or a browser without Ed25519: it asks again the next time
    }
  }

  welcomed(event) {
    const first = this.head === null;
    const set = this.setBack(event);
    if (first || set) {
      this.head = event.after;
      this.confirmed = event.after;
    }
    this.tries = 0;
    this.since = 0;
    this.login = event.login;
    this.window = event.window || WINDOW;
    this.maxText = event.max_text;
    this.settle(event);
    this.took = performance.now() - this.begun;
    this.setState("online");
    this.on.welcome({ ...event, first, set });
    this.ping(SILENCE);
    this.pump();
    this.adopt(event.login);
  }

  // Has the server's log other messages than those that came? Then the first seq of those that are
  // not there.
  setBack({ after, lost, log }) {
    let set = 0;
    if (lost && this.known >= lost) {
      set = lost;
    } else if (this.head > after && !log) {
      set = after + 1;
    }
    if (set) {
      this.known = set - 1;
    }
    return set;
  }

  // May the server have had this message and have forgotten its number? A log that parted from the
  // one
  // it was sent to has only what came before.
  forgotten({ log, base, had }, { last = 0, forgot = 0, lost = 0, log: now }) {
    const none = !last && forgot > base;
    return !log || !now || log === now
      ? last < had || none
      : none && (log !== this.log || base + 1 < lost);
  }

  // What the server has of this device already: those messages are accepted, the others get the
  // next
  // numbers.
  settle(event) {
    const { recent = [], last = 0, at, log = "", head } = event;
    for (const item of this.outbox.items) {
      const { n } = item;
      item.n = 0;
      if (n && n <= last) {
        this.settled(item, recent[n - (last - recent.length + 1)] || 0, at);
      } else if (n) {
        if (this.forgotten(item, event)) {
          this.outbox.doubt(item);
          this.on.doubt(item);
        }
        this.outbox.put(item);
      }
    }
    this.log = log;
    this.base = head;
    this.had = last;
    this.n = last;
    this.flight = [];
  }

  settled(item, seq, at) {
    this.known = Math.max(this.known, seq);
    this.outbox.remove(item);
    this.on.accepted({ item, seq, at: at || Date.now() });
  }

  async say(message) {
    this.on.queued(await this.outbox.add(message));
    this.pump();
  }

  // Number and send what waits, in order. The number is stored before the bytes leave: a reload
  // repeats
  // it as it was.
  async pump() {
    if (this.pumping) {
      this.again = true;
      return;
    }
    this.pumping = true;
    for (const item of this.outbox.items) {
      if (!this.maySend()) {
        break;
      }
      if (item.n || item.failed) {
        continue;
      }
      Object.assign(item, { n: ++this.n, log: this.log, base: this.base, had: this.had });
      const socket = this.socket;
      await this.outbox.put(item);
      if (this.socket !== socket || this.state !== "online") {
        break; // the next welcome numbers it anew
      }
      this.flight.push(item);
      const { n, to, text, re, kind } = item;
      this.send({ t: "say", n, to, text, re, kind });
    }
    this.pumping = false;
    if (this.again) {
      this.again = false;
      this.pump();
    }
  }

  // After a refusal nothing new leaves until all that was sent after it has come back as a gap.
  maySend() {
    return (
      this.state === "online" &&
      Date.now() >= this.hold &&
      this.flight.length < this.window &&
      !this.flight.some((sent) => sent.n > this.n)
    );
  }

  accepted({ n, seq, at }) {
    const item = this.flight.find((other) => other.n === n);
    if (!item) {
      return;
    }
    this.flight = this.flight.filter((other) => other !== item);
    this.had = Math.max(this.had, n);
    this.settled(item, seq, at);
    this.pump();
  }

  refused(event) {
    if (event.code === "wrong_proof") {
      forget(this.login);
      this.key = null;
      event.code = "claimed";
    }
    if (event.n) {
      this.unsent(event);
    } else if (event.fatal || this.state !== "online") {
      this.fatal(event);
    } else {
      this.on.event(event);
    }
  }

  // A refused message does not use up its number; those sent after it come back as gaps and are
  // sent
  // again, in order.
  unsent(event) {
    const item = this.flight.find((other) => other.n === event.n);
    if (!item) {
      return;
    }
    this.flight = this.flight.filter((other) => other !== item);
    item.n = 0;
    this.outbox.put(item);
    this.n = Math.min(this.n, event.n - 1);
    if (/too_fast|unavailable|too_many_pending/.test(event.code)) {
      const wait = (event.after || 1) * 1000;
      this.hold = Date.now() + wait;
      setTimeout(() => this.pump(), wait + 10);
      this.on.waits({ item, event });
    } else if (event.code !== "gap") {
      item.failed = event;
      this.on.failed({ item, event });
    }
    if (!this.flight.length) {
      this.pump();
    }
  }

  fatal(event) {
    this.wanted = false;
    this.setState("refused");
    this.on.fatal(event);
    this.socket?.close();
  }

  // The server ends the connection: for good, or until the next attempt.
  dismissed(event) {
    if (/replaced|banned|revoked|deleted/.test(event.code)) {
      this.fatal({ ...event, text: event.why });
    } else {
      this.socket?.close();
    }
  }
}
