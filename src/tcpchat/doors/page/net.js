// The connection: WebSocket with the native protocol inside, resume by cursor, the outbox sent in order, once.
const BACK_OFF = [500, 1000, 2000, 4000, 8000, 16000, 30000];
const SILENCE = 45000; // ms without a byte after which the line is dead, pings notwithstanding
const PING = 15000;

export class Net extends EventTarget {
  constructor(device) {
    super();
    this.device = device; this.login = ""; this.password = ""; this.outbox = null;
    this.socket = null; this.state = "offline"; this.tries = 0; this.head = null; this.n = 0; this.refs = new Map(); this.ref = 0;
    this.hold = 0; this.window = 64; this.flight = []; this.confirmed = 0; this.family = device.split(".")[0];
    addEventListener("online", () => this.now());
    addEventListener("pageshow", () => this.now());
    document.addEventListener("visibilitychange", () => { if (!document.hidden) this.now(); });
    setInterval(() => this.heartbeat(), PING);
  }

  emit(name, detail) { this.dispatchEvent(new CustomEvent(name, { detail })); }

  start(login, password) { this.login = login; this.password = password; this.wanted = true; this.connect(); }

  stop() { this.wanted = false; clearTimeout(this.timer); if (this.socket) { this.send({ t: "bye" }); this.socket.close(); } }

  now() { if (this.wanted && this.state === "waiting") { clearTimeout(this.timer); this.connect(); } }

  connect() {
    this.setState("connecting");
    const url = new URL(".", location.href);
    url.protocol = url.protocol === "https:" ? "wss:" : "ws:"; url.hash = "";
    const socket = this.socket = new WebSocket(url, ["tcpchat.v1"]);
    this.heard = Date.now();
    socket.onopen = () => this.send({ t: "hello", login: this.login, device: this.device, label: "web", ...(this.head === null ? {} : { after: this.head }) });
    socket.onmessage = (message) => {
      this.heard = Date.now();
      for (const line of message.data.split("\n")) if (line) this.take(JSON.parse(line));
    };
    socket.onclose = () => { if (this.socket === socket) this.lost(); };
  }

  lost() {
    this.socket = null; this.flight = [];
    for (const [, wait] of this.refs) wait.fail({ code: "offline", text: "" });
    this.refs.clear();
    if (!this.wanted) return this.setState("offline");
    if (!this.since) this.since = Date.now();
    const base = BACK_OFF[Math.min(this.tries++, BACK_OFF.length - 1)];
    const delay = base * (0.5 + Math.random() / 2);
    this.next = Date.now() + delay;
    this.timer = setTimeout(() => this.connect(), delay);
    this.setState("waiting");
  }

  setState(state) { this.state = state; this.emit("state", state); }

  heartbeat() {
    if (!this.socket || this.socket.readyState !== WebSocket.OPEN) return;
    if (Date.now() - this.heard > SILENCE) return this.socket.close();
    this.pinged = performance.now();
    this.send({ t: "ping", token: "web" });
  }

  send(command) { if (this.socket && this.socket.readyState === WebSocket.OPEN) this.socket.send(JSON.stringify(command)); }

  // A command with an answer. Rejects with {code, text} when refused or offline.
  ask(command) {
    if (this.state !== "online") return Promise.reject({ code: "offline", text: "" });
    const ref = ++this.ref;
    return new Promise((done, fail) => { this.refs.set(ref, { done, fail }); this.send({ ...command, ref }); });
  }

  take(event) {
    if (event.seq && (event.t === "message" || event.t === "event" || event.t === "amended")) this.advance(event.seq);
    if (event.ref && this.refs.has(event.ref)) {
      const wait = this.refs.get(event.ref); this.refs.delete(event.ref);
      if (event.t === "refused") wait.fail(event); else wait.done(event);
      return;
    }
    const handler = this["on_" + event.t];
    if (handler) handler.call(this, event); else this.emit("event", event);
  }

  advance(seq) {
    if (this.head !== null && seq <= this.head) return;
    this.head = seq;
    if (!this.confirming) this.confirming = requestIdleCallback(() => { this.confirming = 0; this.confirm(); });
  }

  confirm() { if (this.state === "online" && this.head > this.confirmed) { this.confirmed = this.head; this.send({ t: "confirm", seq: this.head }); } }

  on_challenge(event) {
    if (this.password && event.methods.includes("password")) return this.send({ t: "password", password: this.password });
    this.fatal({ code: "claimed", methods: event.methods });
  }

  on_welcome(event) {
    this.tries = 0; this.since = 0; this.login = event.login; this.window = event.window || 64;
    const first = this.head === null;
    if (first) this.head = event.after;
    this.settle(event);
    this.maxText = event.max_text;
    this.setState("online");
    this.emit("welcome", { ...event, first });
    this.pump();
  }

  // What the server has of this device already: those messages are accepted, the others get the next numbers.
  settle(event) {
    const recent = event.recent || [], last = event.last || 0;
    for (const item of [...this.outbox.items]) {
      if (item.n && item.n <= last) this.settled(item, recent[item.n - (last - recent.length + 1)] || 0, event.at);
    }
    this.n = last; this.flight = [];
    for (const item of this.outbox.items) item.n = 0;
  }

  settled(item, seq, at) { this.outbox.remove(item); this.emit("accepted", { item, seq, at: at || Date.now() }); }

  async say(message) {
    const item = await this.outbox.add(message);
    this.emit("queued", item);
    this.pump();
    return item;
  }

  // Number and send what waits, in order. The number is stored before the bytes leave: a reload repeats it as it was.
  async pump() {
    if (this.pumping || this.state !== "online" || Date.now() < this.hold) return;
    this.pumping = true;
    try {
      for (const item of this.outbox.items) {
        // Behind a refusal nothing new leaves until all that was sent behind it has come back as a gap.
        if (this.state !== "online" || this.flight.length >= this.window || this.flight.some((sent) => sent.n > this.n)) break;
        if (item.n || item.failed) continue;
        item.n = ++this.n;
        await this.outbox.put(item);
        if (this.state !== "online") { item.n = 0; break; }
        this.flight.push(item);
        this.send({ t: "say", n: item.n, to: item.to, text: item.text, ...(item.re ? { re: item.re } : {}), ...(item.kind ? { kind: item.kind } : {}) });
      }
    } finally { this.pumping = false; }
    if (this.again) { this.again = false; this.pump(); }
  }

  on_accepted(event) {
    const item = this.flight.find((other) => other.n === event.n);
    if (!item) return;
    this.flight = this.flight.filter((other) => other !== item);
    this.settled(item, event.seq, event.at);
    this.pumping ? (this.again = true) : this.pump();
  }

  on_refused(event) {
    if (event.n) return this.refused(event);
    if (event.fatal || this.state !== "online") return this.fatal(event);
    this.emit("event", event);
  }

  // A refused message does not use up its number; those sent behind it come back as gaps and are sent again, in order.
  refused(event) {
    const at = this.flight.findIndex((item) => item.n === event.n);
    if (at < 0) return;
    const [item] = this.flight.splice(at, 1);
    item.n = 0;
    this.n = Math.min(this.n, event.n - 1);
    if (event.code === "too_fast" || event.code === "unavailable" || event.code === "too_many_pending") {
      const wait = (event.after || 1) * 1000;
      this.hold = Date.now() + wait;
      this.emit("held", { item, seconds: Math.ceil(wait / 1000), event });
      setTimeout(() => this.pump(), wait + 10);
    } else if (event.code !== "gap") {
      item.failed = event;
      this.emit("failed", { item, event });
    }
    if (!this.flight.length) this.pumping ? (this.again = true) : this.pump();
  }

  fatal(event) { this.wanted = false; this.setState("refused"); this.emit("fatal", event); if (this.socket) this.socket.close(); }

  on_ping(event) { this.send({ t: "pong", token: event.token || "" }); }

  on_pong() { if (this.pinged) this.emit("latency", Math.round(performance.now() - this.pinged)); }

  on_bye(event) { if (event.code === "replaced") this.fatal(event); else if (this.socket) this.socket.close(); }
}

if (!window.requestIdleCallback) window.requestIdleCallback = (f) => setTimeout(f, 20); // Safari
