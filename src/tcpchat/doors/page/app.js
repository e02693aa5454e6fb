// The page: ties the connection, the store, the list and the controls together.
import { Net } from "./net.js";
import { Outbox, claimDevice } from "./outbox.js";
import { Store, same } from "./store.js";
import { List, WORDS, clean, clock, linked, make } from "./list.js";
import { Announcer, notify, noticeState, askNotices } from "./notify.js";
import { help, receipts, settings, switcher } from "./dialogs.js";
import { lang, t, translate } from "./words.js";

const $ = (id) => document.getElementById(id);
const PAGE = 50;
const store = new Store(), net = new Net(claimDevice()), announcer = new Announcer($("announcer"));
let outbox = null, context = null, hidden = 0, latency = null;

// -- conversations ------------------------------------------------------------------------------------------
const list = new List($("list"), store, {
  waiting: (room) => (outbox ? outbox.items.filter((item) => same(item.to, room.to)) : []),
  empty: (yes) => { $("empty").hidden = !yes || !store.open?.loaded; $("empty").textContent = store.open ? t("Nobody has said anything in {0} yet.", store.open.to) : ""; },
  older, moved, jump, reply: (row) => setContext("re", row), edit: (row) => setContext("edit", row),
  copy: (row) => copy(row.text), receipts: async (row) => receipts(await net.ask({ t: "receipts", seq: row.seq })),
  remove: (row) => { if (confirm(t("Delete this message?"))) net.ask({ t: "remove", seq: row.seq }).catch(say); },
  resend: (item) => { delete item.failed; list.pendingChanged(item); net.pump(); },
  forget: async (item) => { await outbox.remove(item); list.settle(item, null); },
});

async function open(to, focus = true) {
  const room = store.room(to);
  if (store.open && store.open !== room) { store.open.draft = $("composer").value; store.open.context = context; store.open.mark = 0; store.open.trim(false); }
  store.open = room;
  setContext(...(room.context || []));
  $("composer").value = room.draft; grow();
  $("room-name").textContent = room.to; $("room-topic").textContent = clean(room.topic); $("composer-label").textContent = $("composer").placeholder = t("Message {0}", room.to);
  const hash = (room.to.startsWith("#") ? "#/r/" : "#/u/") + encodeURIComponent(room.to.slice(1));
  if (location.hash !== hash && !location.hash.startsWith("#/m/")) history.pushState(null, "", hash);
  $("chat").classList.remove("side"); drawRooms(); drawTyping(); drawPeople();
  list.show(room);
  if (!room.loaded && net.state === "online") await load(room, { before: room.rows[0]?.seq || 0 });
  if (room === store.open) { list.show(room); seen(); if (focus && matchMedia("(min-width: 768px)").matches) $("composer").focus(); }
}

async function load(room, query) {
  if (room.loading) return;
  room.loading = true;
  try { store.page(room.to, await net.ask({ t: "history", to: room.to, limit: PAGE, events: true, ...query }), query); }
  catch (error) { if (error.code === "not_member" && room.to.startsWith("#")) return join(room.to); if (error.code !== "offline") say(error); }
  finally { room.loading = false; }
}

async function older() {
  const room = store.open;
  if (!room || room.start || room.loading || !room.loaded || !room.rows.length || net.state !== "online") return;
  await load(room, { before: room.rows[0].seq });
  if (room === store.open) list.prepended();
}

async function newest() {
  const room = store.open;
  if (room.gap) { room.clear(); await load(room, {}); list.show(room); }
  list.toEnd(); seen();
}

async function jump(seq) {
  if (list.focusRow(seq)) return;
  const room = store.open;
  room.clear();
  await load(room, { around: seq });
  room.gap = (room.rows.at(-1)?.seq || 0) < room.head;
  list.rebuild(); list.focusRow(seq); moved();
}

async function join(room) {
  const name = room.startsWith("#") ? room : "#" + room;
  try { await net.ask({ t: "join", room: name }); } catch (error) { if (error.code !== "already_member") return say(error); }
  store.room(name).member = true; await rooms(); open(name);
}

const rooms = async () => store.setRooms((await net.ask({ t: "rooms" })).rooms);

// Read is what was on screen, at the end, in a window that a person looks at.
function seen() {
  const room = store.open;
  if (!room || document.hidden || !document.hasFocus() || !list.stuck || room.gap) return;
  const seq = room.rows.at(-1)?.seq || 0;
  if (seq && store.markRead(room.to, seq)) net.send({ t: "read", to: room.to, seq });
}

function moved() {
  const room = store.open, show = room && (!list.stuck || room.gap);
  $("newer").hidden = !show;
  $("newer").textContent = list.missed ? `↓ ${t("{0} newer", list.missed)}` : `↓ ${t("Newest")}`;
  if (!show) seen();
}

// -- what is drawn around the list ----------------------------------------------------------------------------
function drawRooms() {
  const groups = { "#": $("rooms"), "@": $("direct") }, out = { "#": [], "@": [] };
  for (const room of store.ordered()) {
    const mark = room.to[0], name = room.to.slice(1), label = [room.to, room.unread ? t("{0} unread", room.unread) : "", room.mentions && mark === "#" ? t("{0} mentions", room.mentions) : ""].filter(Boolean).join(", ");
    const link = make("a", { href: `#/${mark === "#" ? "r" : "u"}/${encodeURIComponent(name)}`, class: room.unread ? "unread" : "", "aria-label": mark === "@" ? `${label}, ${t(store.online(name) ? "online" : "offline")}` : label },
      make("span", { "aria-hidden": "true" }, mark === "#" ? "#" : store.online(name) ? "●" : "○"), make("bdi", {}, clean(name)));
    if (room === store.open) link.setAttribute("aria-current", "page");
    if (room.unread) link.append(make("span", { class: `count${room.mentions ? " at" : ""}`, "aria-hidden": "true" }, (room.mentions && mark === "#" ? `@${room.mentions} ` : "") + (room.unread > 99 ? "99+" : room.unread)));
    out[mark].push(make("li", {}, link));
  }
  for (const mark of "#@") groups[mark].replaceChildren(...out[mark]);
  const { unread, mentions } = store.unread();
  document.title = `${unread ? `(${mentions || unread}) ` : ""}${store.open?.to || "tcpchat"}`;
  $("menu-count").textContent = unread || "";
  navigator.setAppBadge?.(mentions).catch(() => {});
}

function drawPeople() {
  const people = [...store.people.values()].sort((a, b) => b.online - a.online || a.login.localeCompare(b.login));
  const count = people.filter((p) => p.online).length;
  $("people-title").textContent = t("Here ({0})", count);
  $("here").replaceChildren(...people.slice(0, 500).map((p) => make("li", {}, make("button", { onclick: () => open("@" + p.login), title: p.away || p.name || "" },
    make("span", { "aria-hidden": "true" }, p.online ? "●" : "○"), make("bdi", {}, clean(p.login)), make("span", { class: "hidden" }, t(p.online ? "online" : "offline"))))));
}

function drawLink() {
  const state = net.state, away = state === "waiting" || (state === "connecting" && net.since);
  $("link").textContent = state === "online" ? `● ${latency === null ? "" : `${latency} ms`}` : "◌";
  $("link").title = t(state === "online" ? "connected" : "connecting …");
  const late = net.since && Date.now() - net.since > 2000, kept = outbox?.items.length || 0;
  $("banner").hidden = !(away && late);
  if (away && late) $("banner").replaceChildren(`⚠ ${t("No connection since {0}.", clock(net.since))} ${kept ? t("{0} messages are kept here and go out by themselves.", kept) : ""} ${t("Next try in {0} s", Math.max(0, Math.ceil((net.next - Date.now()) / 1000)))} `, make("button", { onclick: () => net.now() }, t("Now")));
}
setInterval(drawLink, 1000);

function drawTyping() {
  const room = store.open, names = room ? [...room.typing].filter(([, until]) => until > Date.now()).map(([who]) => who) : [];
  $("typing").textContent = !names.length ? "" : names.length === 1 ? t("{0} is typing …", clean(names[0])) : t("{0} people are typing …", names.length);
}

let toast = 0;
function say(error) { const text = error.text || error.code || String(error); $("alert").textContent = text; clearTimeout(toast); toast = setTimeout(() => { $("alert").textContent = ""; }, 5000); }

async function copy(text) {
  try { await navigator.clipboard.writeText(text); } catch { // plain http: no clipboard interface
    const area = make("textarea", { value: text }); document.body.append(area); area.select(); document.execCommand("copy"); area.remove();
  }
}

// -- the composer -----------------------------------------------------------------------------------------------
function setContext(kind, row) {
  context = kind ? [kind, row] : null;
  $("context").hidden = !kind;
  if (!kind) return;
  $("context-text").textContent = kind === "re" ? t("Replying to {0}", `${clean(row.by)}: ${clean(row.text).slice(0, 60)}`) : t("Editing");
  if (kind === "edit") { $("composer").value = row.text; grow(); }
  $("composer").focus();
}

function grow() { const box = $("composer"); box.style.height = "auto"; box.style.height = Math.min(box.scrollHeight + 2, 152) + "px"; }

async function submit() {
  const box = $("composer"), room = store.open, [kind, row] = context || [];
  let text = box.value.replace(/\s+$/, "");
  if (!text || !room) return;
  if (net.maxText && new TextEncoder().encode(text).length > net.maxText) return say(t("The text is longer than {0} bytes.", net.maxText));
  box.value = ""; grow(); setContext();
  if (kind === "edit") return net.ask({ t: "edit", seq: row.seq, text }).catch((error) => { box.value = text; say(error); });
  const command = /^\/(join|j|leave|part|msg|dm|me|topic|invite|nick|away|back|who|shrug)\b\s*([\s\S]*)$/i.exec(text);
  if (command) return slash(command[1].toLowerCase(), command[2], room);
  if (/^\/\w/.test(text)) { box.value = text; return say(`/…? //${text.slice(1)}`); }
  if (text.startsWith("//")) text = text.slice(1);
  if (room.gap) await newest();
  net.say({ to: room.to, text, ...(kind === "re" ? { re: row.seq } : {}) });
}

function slash(name, rest, room) {
  const [first, ...more] = rest.split(" "), ask = (command) => net.ask(command).catch(say);
  const table = {
    join: () => join(rest), j: () => join(rest), leave: () => leave(rest || room.to), part: () => leave(rest || room.to),
    msg: () => { open("@" + first); if (more.length) net.say({ to: "@" + first, text: more.join(" ") }); }, me: () => net.say({ to: room.to, text: rest, kind: "action" }),
    topic: () => ask({ t: "topic", room: room.to, text: rest }), invite: () => ask({ t: "invite", room: room.to, login: rest }), nick: () => ask({ t: "rename", to: rest }),
    away: () => ask({ t: "away", why: rest || "…" }), back: () => ask({ t: "away" }), who: () => $("chat").classList.toggle("people"), shrug: () => net.say({ to: room.to, text: `${rest} ¯\\_(ツ)_/¯`.trim() }),
  };
  (table[name] || table[{ dm: "msg" }[name]])();
}

async function leave(to) { try { await net.ask({ t: "leave", room: to }); await rooms(); open("#all"); } catch (error) { say(error); } }

$("composer-form").onsubmit = (event) => { event.preventDefault(); submit(); };
$("composer").oninput = () => {
  grow();
  const now = Date.now();
  if (store.open && $("composer").value && !$("composer").value.startsWith("/") && now - (store.open.told || 0) > 3000) { store.open.told = now; net.send({ t: "typing", to: store.open.to }); }
};
$("composer").onkeydown = (event) => {
  if (event.key === "Enter" && !event.shiftKey && !event.isComposing && !event.altKey) { event.preventDefault(); submit(); }
  if (event.key === "ArrowUp" && !event.target.value) { const own = store.open?.rows.filter((row) => row.own && !row.removed && row.kind2 === "message").at(-1); if (own) { event.preventDefault(); setContext("edit", own); } }
  if (event.key === "Tab" && !event.shiftKey && complete()) event.preventDefault();
};

function complete() {
  const box = $("composer"), before = box.value.slice(0, box.selectionStart), word = /(^|\s)@?([^\s@]{1,32})$/.exec(before)?.[2];
  if (!word) return false;
  const hit = [...new Set([...(store.open?.rows || []).map((row) => row.by).reverse(), ...[...store.people.values()].map((p) => p.login)])].find((name) => name && !store.mine(name) && name.toLowerCase().startsWith(word.toLowerCase()));
  if (!hit) return false;
  box.setRangeText(hit + (before.trim() === word ? ": " : " "), before.length - word.length, before.length, "end");
  return true;
}

// -- search -----------------------------------------------------------------------------------------------------
let searching = 0;
$("search").oninput = () => { clearTimeout(searching); searching = setTimeout(search, 250); };
$("search").onsubmit = (event) => { event.preventDefault(); search(); };
async function search() {
  const words = $("search-words").value.trim();
  if (!words) return list.show(store.open);
  try {
    const page = await net.ask({ t: "search", words, to: $("search-all").checked ? "" : store.open.to, limit: 50 });
    const hits = page.messages.map((m) => {
      const text = make("p", { class: "text" });
      for (const [i, part] of clean((m.snippet || m.text).replaceAll("\x02", "\ue000").replaceAll("\x03", "\ue001")).split(/[\ue000\ue001]/).entries()) text.append(i % 2 ? make("mark", {}, part) : part);
      return make("li", { tabIndex: -1 }, make("article", { onclick: () => found(m) }, make("div", { class: "head" }, make("bdi", { class: "who" }, `${clean(m.by)} · ${store.conversation(m)}`), make("time", {}, new Date(m.at).toLocaleString())), text, make("button", { onclick: () => found(m) }, t("Go to"))));
    });
    $("list").replaceChildren(make("li", { class: "note" }, hits.length ? t("Found: {0}", hits.length) : t("Nothing found.")), ...hits);
  } catch (error) { say(error); }
}
async function found(message) { closeSearch(); await open(store.conversation(message), false); jump(message.seq); }
function closeSearch() { $("search").hidden = true; $("search-words").value = ""; if (store.open) list.show(store.open); $("composer").focus(); }
$("search-close").onclick = closeSearch;
$("open-search").onclick = () => { $("search").hidden = false; $("search-words").focus(); };

// -- events of the connection --------------------------------------------------------------------------------------
net.addEventListener("welcome", async ({ detail }) => {
  store.me = detail.login; store.base = detail.head; $("me").textContent = detail.login;
  if (!outbox.durable) say(t("This browser cannot store messages; what waits is lost when the page closes."));
  $("login").hidden = true; $("chat").hidden = false;
  try { localStorage.setItem("tcpchat.login", detail.login); } catch { /* private window */ }
  const people = await net.ask({ t: "who", all: true }).catch(() => null);
  if (people) store.setPeople(people.people);
  if (detail.first) route(); else if (store.open && !store.open.loaded) open(store.open.to, false);
});
net.addEventListener("state", drawLink);
net.addEventListener("latency", ({ detail }) => { latency = detail; drawLink(); });
net.addEventListener("queued", ({ detail }) => { if (store.open && same(detail.to, store.open.to)) list.addPending(detail); drawLink(); });
net.addEventListener("accepted", ({ detail }) => store.accepted(detail.item, detail.seq, detail.at));
net.addEventListener("failed", ({ detail }) => { list.pendingChanged(detail.item); say(detail.event); });
net.addEventListener("held", ({ detail }) => say(detail.event.code === "too_fast" ? t("Too fast; it goes out in {0} s.", detail.seconds) : detail.event));
net.addEventListener("fatal", ({ detail }) => refused(detail));
net.addEventListener("event", ({ detail: event }) => {
  if (event.t === "message") store.message(event, true);
  else if (event.t === "roomlist") store.setRooms(event.rooms);
  else if (event.t === "event") store.event(event);
  else if (event.t === "amended") store.amended(event);
  else if (event.t === "receipt") store.receipt(event);
  else if (event.t === "markread") store.markRead(event.to, event.seq);
  else if (event.t === "presence") store.presence(event);
  else if (event.t === "typing") { const room = store.room(store.conversation(event), false); if (room) { event.on === false ? room.typing.delete(event.by) : room.typing.set(event.by, Date.now() + 6000); drawTyping(); } }
  else if (event.t === "refused") say(event);
});
setInterval(drawTyping, 2000);

store.addEventListener("message", ({ detail: { room, row, live } }) => {
  if (room === store.open) list.append(row);
  if (!live || row.kind2 !== "message" || row.own) return;
  if (room === store.open) announcer.add(row); 
  if ((row.mention || room.to.startsWith("@")) && (document.hidden || room !== store.open)) notify(row, room, () => open(room.to));
  drawSoon();
});
store.addEventListener("settled", ({ detail: { room, item, row } }) => { if (room === store.open) list.settle(item, row); drawLink(); });
store.addEventListener("changed", ({ detail: { room, row } }) => { if (room === store.open) list.changed(row); });
store.addEventListener("receipts", ({ detail: { room } }) => { if (room === store.open) list.ticks(); });
store.addEventListener("rooms", () => { drawSoon(); if (store.open) $("room-topic").textContent = clean(store.open.topic); });
store.addEventListener("people", () => drawSoon(true));
let soon = 0, soonPeople = false;
function drawSoon(people) { soonPeople ||= people; if (!soon) soon = setTimeout(() => { soon = 0; drawRooms(); if (soonPeople) drawPeople(); soonPeople = false; seen(); }, 100); }

// -- login ------------------------------------------------------------------------------------------------------------
async function enter(login, password) {
  outbox = net.outbox = await new Outbox(login, net.device).open();
  net.start(login, password);
}
function refused(event) {
  if (event.code === "replaced") { $("banner").hidden = false; $("banner").replaceChildren(t("You were replaced by another window."), make("button", { onclick: () => location.reload() }, t("Now"))); return; }
  $("login").hidden = false; $("chat").hidden = true;
  const claimed = event.code === "claimed" || event.code === "wrong_password";
  $("login-secret").hidden = !claimed;
  $("login-error").textContent = event.code === "claimed" ? t("This login belongs to somebody. Enter its password, or choose another.") : event.code === "insecure" ? t("Passwords are taken only over https or on this machine.") : event.text;
  (claimed ? $("login-password") : $("login-name")).focus();
}
$("login-form").onsubmit = (event) => { event.preventDefault(); $("login-error").textContent = ""; net.head = null; enter($("login-name").value.trim(), $("login-password").value); };

// -- keys, links, window -------------------------------------------------------------------------------------------------
function go(step) { const all = store.ordered(), at = all.indexOf(store.open); if (all.length) open(all[(at + step + all.length) % all.length].to); }
const unreadNext = () => { const room = store.nextUnread(); if (room) open(room.to); };
const goto = () => switcher(store, (to) => (to.startsWith("#") && !store.room(to, false) ? join(to) : open(to)));
addEventListener("keydown", (event) => {
  if ($("chat").hidden || $("dialog").open) return;
  const typing = /^(INPUT|TEXTAREA)$/.test(document.activeElement.tagName), alt = event.altKey && !event.ctrlKey;
  const act = alt && event.shiftKey && /^Arrow(Up|Down)$/.test(event.key) ? unreadNext : alt && event.key === "ArrowDown" ? () => go(1) : alt && event.key === "ArrowUp" ? () => go(-1) : alt && event.code === "KeyA" ? unreadNext
    : event.ctrlKey && event.code === "KeyK" ? goto : event.key === "Escape" ? escape : event.shiftKey && event.key === "PageUp" ? () => $("list").querySelector(".rule.new")?.scrollIntoView({ block: "center" })
    : !typing && event.key === "/" ? () => $("open-search").click() : !typing && event.key === "?" ? help : null;
  if (act) { event.preventDefault(); act(); }
});
function escape() {
  if (!$("search").hidden) return closeSearch();
  if (context) { $("composer").value = ""; return setContext(); }
  $("chat").classList.remove("side", "people");
  newest(); $("composer").focus();
}
function route() {
  const [, kind, rest] = /^#\/([rum])\/(.+)$/.exec(location.hash) || [];
  const name = rest && decodeURIComponent(rest);
  if (kind === "m") return locate(Number(name));
  const to = kind === "u" ? "@" + name : kind === "r" ? "#" + name : "#all";
  if (!store.open || !same(store.open.to, to)) open(to);
}
async function locate(seq) {
  for (const room of store.ordered()) {
    const page = await net.ask({ t: "history", to: room.to, around: seq, limit: 1 }).catch(() => null);
    if (page?.messages.some((m) => m.seq === seq)) { await open(room.to, false); return jump(seq); }
  }
  open("#all");
}
addEventListener("popstate", () => { if (net.state === "online") route(); });
addEventListener("focus", seen);
document.addEventListener("visibilitychange", () => { if (!document.hidden) seen(); else hidden = Date.now(); });
$("newer").onclick = newest; $("goto").onclick = goto; $("open-help").onclick = help; $("context-close").onclick = () => setContext();
$("open-settings").onclick = () => settings({ net, store, notices: noticeState, askNotices, leave: () => leave(store.open.to), quit: () => { net.stop(); localStorage.removeItem("tcpchat.login"); location.reload(); } });
$("join").onsubmit = (event) => { event.preventDefault(); const name = $("join-name").value.trim(); $("join-name").value = ""; if (name) join(name); };
$("menu").onclick = () => $("chat").classList.add("side"); $("side-close").onclick = () => $("chat").classList.remove("side");
$("people-button").onclick = () => $("chat").classList.toggle("people");
$("body").addEventListener("click", (event) => { if (!event.target.closest("#menu, #people-button")) $("chat").classList.remove("side", "people"); });
// iOS keeps the layout viewport when its keyboard opens.
visualViewport?.addEventListener("resize", () => document.documentElement.style.setProperty("--height", `${visualViewport.height}px`));

translate(document);
document.documentElement.lang = lang;
try { const theme = localStorage.getItem("tcpchat.theme"); if (theme) document.documentElement.dataset.theme = theme; } catch { /* no storage */ }
$("login-server").textContent = location.host;
$("login-hint").textContent = t("or in a terminal: {0}", `tcpchat client ${location.hostname} ${location.port || (location.protocol === "https:" ? 443 : 80)}`);
let known = "";
try { known = localStorage.getItem("tcpchat.login") || ""; } catch { /* no storage */ }
$("login-name").value = known;
if (known && sessionStorage.getItem("tcpchat.in")) enter(known, ""); else { $("login").hidden = false; $("login-name").focus(); }
net.addEventListener("welcome", () => { try { sessionStorage.setItem("tcpchat.in", "1"); } catch { /* no storage */ } });
