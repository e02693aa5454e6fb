// The page: ties the connection, the store, the list and the controls together.
import { Composer } from "./composer.js";
import { help, receipts, settings, switcher } from "./dialogs.js";
import { $, browser, button, clean, clock, h, name, tab } from "./dom.js";
import { kept } from "./keys.js";
import { head, List } from "./list.js";
import { Net } from "./net.js";
import { announce, notify } from "./notify.js";
import { claimDevice, Outbox } from "./outbox.js";
import { Store, same } from "./store.js";
import { t, translate } from "./words.js";

const PAGE = 50; // messages of a conversation's history in one piece
// What stands around the words found, in the server's answers.
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
const HITS = /[\x02\x03]/;
const attending = () => !document.hidden && document.hasFocus() && list.stuck && !store.open.gap;
const store = new Store(attending);
const net = new Net(claimDevice());
const pane = $("chat").classList;
/** @type {any} */
let outbox = { items: [] };
let latency = "";
let toast;
let soon;
let searching;

const list = new List($("list"), store, {
  waiting: (room) => outbox.items.filter(({ to }) => same(to, room.to)),
  moved,
  jump,
  copy,
  older: () => more((room) => !room.start && { before: room.rows[0].seq }),
  newer: () => more((room) => room.gap && { after: room.rows.at(-1).seq }),
  reply: (row) => composer.context("re", row),
  edit: (row) => composer.context("edit", row),
  receipts: ({ seq }) => net.ask({ t: "receipts", seq }).then(receipts, say),
  remove({ seq }) {
    if (confirm(t("Delete this message?"))) {
      net.ask({ t: "remove", seq }).catch(say);
    }
  },
  resend(item) {
    delete item.failed;
    delete item.doubt;
    list.pendingChanged(item);
    net.pump();
  },
  forget(item) {
    outbox.remove(item);
    list.settle(item);
  },
});
const composer = new Composer(store, net, { say, join, leave, open, newest, help });

// -- conversations --------------------------------------------------------------------------------
async function open(to, focus = matchMedia("(min-width: 768px)").matches) {
  const room = store.room(to);
  const before = store.open;
  if (before !== room) {
    if (before) {
      before.mark = 0;
      before.trim();
    }
    composer.swap(before, room);
    store.open = room;
  }
  if (location.hash !== address(room)) {
    history.pushState(null, "", address(room));
  }
  pane.remove("side");
  draw();
  closeSearch();
  if (!room.loaded) {
    await load(room, { before: room.rows[0]?.seq || 0 });
  }
  if (room !== store.open) {
    return;
  }
  list.show(room);
  seen();
  if (focus) {
    $("composer").focus();
  }
}
const address = (room) => `#/${room.isRoom ? "r" : "u"}/${encodeURIComponent(room.name)}`;

async function load(room, query) {
  room.loading = true;
  try {
    store.page(
      room,
      await net.ask({ t: "history", to: room.to, limit: PAGE, events: true, ...query }),
      query,
    );
  } catch (error) {
    if (error.code === "not_member" && room.isRoom) {
      await join(room.to);
    } else if (error.code !== "no_such_login") {
      say(error);
    }
  }
  room.loading = false;
}

// Another page of the open conversation, when its query says that there is one.
async function more(query) {
  const room = store.open;
  if (
    !room?.loaded ||
    room.loading ||
    !room.rows.length ||
    net.state !== "online" ||
    !query(room)
  ) {
    return;
  }
  await load(room, query(room));
  if (room === store.open && $("search").hidden) {
    list.redraw();
  }
}

async function newest() {
  const room = store.open;
  if (room.gap) {
    room.clear();
    await load(room, {});
    list.show(room);
  }
  list.toEnd();
}

async function jump(seq) {
  if (list.focusRow(seq)) {
    return;
  }
  const room = store.open;
  room.clear();
  await load(room, { around: seq });
  list.rebuild();
  list.focusRow(seq);
  moved();
}

async function join(to) {
  const room = to[0] === "#" ? to : `#${to}`;
  try {
    await net.ask({ t: "join", room });
  } catch (error) {
    if (error.code !== "already_member") {
      return say(error);
    }
  }
  await rooms();
  open(room);
}
async function leave(room) {
  try {
    await net.ask({ t: "leave", room });
    await rooms();
    open("#all");
  } catch (error) {
    say(error);
  }
}
const rooms = async () => store.roomlist(await net.ask({ t: "rooms" }));

// Read is what was on screen, at the end, in a window that a person looks at.
function seen() {
  const to = store.open?.to;
  const seq = store.open?.rows.at(-1)?.seq;
  if (seq && attending() && store.markread({ to, seq })) {
    net.send({ t: "read", to, seq });
  }
}

function moved() {
  const end = list.stuck && !store.open?.gap;
  $("newer").hidden = end;
  $("newer").textContent = `↓ ${list.missed ? t("{0} new", list.missed) : t("Newest")}`;
  if (end) {
    store.on.drawn();
  }
}

// The server was set back to before `seq`: what is shown of it is fetched anew, and a person is
// told.
function startOver(seq) {
  const rows = [...store.rooms.values()].flatMap((room) => room.rows);
  const last = Math.max(...rows.filter((row) => row.seq < seq).map(({ at }) => at));
  for (const room of store.rooms.values()) {
    room.clear();
    Object.assign(room, { read: 0, delivered: 0, seen: 0, head: 0, mark: 0 });
  }
  say(
    last > 0
      ? t(
          "The server was restored from a backup: it does not have the messages after {0} that you saw.",
          clock(last),
        )
      : t("The server was restored from a backup: it does not have the messages that you saw."),
  );
  clearTimeout(toast); // until something else is said
}

// -- what is drawn around the list ----------------------------------------------------------------
const aside = (text) => h("span", { ariaHidden: "true" }, text);
const dot = (login) => aside(store.online(login) ? "●" : "○");
const presence = (login) => t(store.online(login) ? "online" : "offline");

function draw() {
  clearTimeout(soon);
  soon = 0;
  const all = store.ordered();
  const people = [...store.people.values()].sort(
    (a, b) => b.online - a.online || a.login.localeCompare(b.login),
  );
  const count = all.reduce((sum, room) => sum + (room.mentions || room.unread), 0);
  const here = people.filter((p) => p.online).length;
  fill("rooms", all.filter((room) => room.isRoom).map(link));
  fill("direct", all.filter((room) => !room.isRoom).map(link));
  fill(
    "here",
    people
      .slice(0, 500)
      .map(({ login, away }) =>
        h(
          "li",
          null,
          h(
            "button",
            { onclick: () => open(`@${login}`), title: away || "" },
            dot(login),
            name(login),
            h("span.hidden", null, presence(login)),
          ),
        ),
      ),
  );
  $("people-title").textContent = t("Here ({0})", here);
  $("people-button").replaceChildren(
    aside(`● ${here}`),
    h("span.hidden", null, t("Here ({0})", here)),
  );
  navigator[count ? "setAppBadge" : "clearAppBadge"]?.(count).catch(() => {});
  document.title = (count ? `(${count}) ` : "") + (store.open?.to || "tcpchat");
  $("menu-count").textContent = count || "";
  $("room-name").textContent = store.open?.to;
  $("room-topic").textContent = clean(store.open?.topic || "");
  drawTyping();
  if (list.room === store.open) {
    seen();
  }
}

// What has not changed stays, and the focus in it.
function fill(id, rows) {
  const old = [...$(id).children];
  if (rows.length !== old.length || rows.some((row, i) => !row.isEqualNode(old[i]))) {
    $(id).replaceChildren(...rows);
  }
}

function link(room) {
  const { unread, mentions, isRoom } = room;
  const at = isRoom && mentions;
  const words = [
    unread && t("{0} unread", unread),
    at && t("mentions: {0}", at),
    !isRoom && presence(room.name),
  ]
    .filter(Boolean)
    .join(", ");
  const el = h(
    unread ? "a.unread" : "a",
    { href: address(room) },
    isRoom ? aside("#") : dot(room.name),
    name(room.name),
    h("span.hidden", null, " ", words),
  );
  if (unread) {
    el.append(
      h(
        `span.count${mentions ? ".primary" : ""}`,
        { ariaHidden: "true" },
        (at ? `@${at} ` : "") + unread,
      ),
    );
  }
  if (room === store.open) {
    el.ariaCurrent = "page";
  }
  return h("li", null, el);
}

function drawLink() {
  const { state, since, next } = net;
  const online = state === "online";
  const kept = outbox.items.length;
  $("link").textContent = online ? `● ${latency}` : "○";
  if (state === "refused") {
    return;
  }
  $("banner").hidden = online || !(Date.now() - since > 2000);
  if (!$("banner").hidden) {
    $("banner").replaceChildren(
      h(
        "span",
        null,
        t("No connection since {0}.", clock(since)),
        " ",
        kept && t("Messages waiting to be sent: {0}.", kept),
        " ",
        t("Next try in {0} s", Math.max(0, Math.ceil((next - Date.now()) / 1000))),
      ),
      button("Now", () => net.now()),
    );
  }
}

function drawTyping() {
  const who = [...(store.open?.typing || [])]
    .filter(([, until]) => until > Date.now())
    .map(([login]) => clean(login));
  $("typing").textContent = who.length ? t("{0} is typing …", who.join(", ")) : "";
}
setInterval(() => {
  drawLink();
  drawTyping();
}, 1000);

function say(error) {
  if (error.code === "offline") {
    return;
  }
  $("alert").textContent = error.text || error;
  clearTimeout(toast);
  toast = setTimeout(() => {
    $("alert").textContent = "";
  }, 5000);
}

async function copy({ text }) {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    // plain http: no clipboard interface
    const area = h("textarea", { value: text });
    document.body.append(area);
    area.select();
    document.execCommand("copy");
    area.remove();
  }
}

// -- search ---------------------------------------------------------------------------------------
async function search() {
  const words = $("search-words").value.trim();
  if (!words) {
    return list.show(store.open);
  }
  try {
    const { messages } = await net.ask({
      t: "search",
      words,
      to: $("search-all").checked ? "" : store.open.to,
      limit: PAGE,
    });
    $("list").replaceChildren(
      h("p.note", null, t("Found: {0}", messages.length)),
      ...messages.map(hit),
    );
  } catch (error) {
    say(error);
  }
}
function hit(message) {
  const to = store.conversation(message);
  const parts = (message.snippet || message.text).split(HITS).map(clean);
  return h(
    "article",
    { tabIndex: -1 },
    head(message, ` · ${to}`),
    h("p.text", null, ...parts.map((part, i) => (i % 2 ? h("mark", null, part) : part))),
    button("Go to", async () => {
      await open(to, false);
      jump(message.seq);
    }),
  );
}
function closeSearch() {
  if ($("search").hidden) {
    return false;
  }
  $("search").hidden = true;
  $("search-words").value = "";
  list.show(store.open);
  return true;
}
const find = () => {
  $("search").hidden = false;
  $("search-words").focus();
};

// -- events of the connection and of the store ----------------------------------------------------
net.on = {
  async welcome({ login, head, first, set }) {
    if (set) {
      startOver(set);
    }
    store.me = login;
    store.base = head;
    $("me").textContent = login;
    $("login").hidden = true;
    $("chat").hidden = false;
    browser.set("login", login);
    tab.set("in", "1");
    if (!outbox.durable) {
      say(t("This browser does not keep unsent messages when the page is reloaded."));
    }
    if (first || set || !store.open.loaded) {
      route();
    }
    store.setPeople((await net.ask({ t: "who", all: true })).people);
  },
  state: drawLink,
  latency(ms) {
    latency = `${ms} ms`;
    drawLink();
  },
  queued(item) {
    const waits = outbox.items.includes(item); // it may be accepted as soon as it is stored
    if (waits && same(item.to, store.open.to)) {
      list.addPending(item);
    }
  },
  accepted({ item, seq, at }) {
    const row = store.accepted(item, seq, at);
    if (same(item.to, store.open?.to || "")) {
      list.settle(item, row);
    }
    drawLink();
  },
  failed({ item, event }) {
    list.pendingChanged(item);
    say(event);
  },
  waits({ event }) {
    // It goes out by itself later; what takes a moment only is not worth a word.
    if (event.code === "unavailable" || event.after > 2) {
      say(event);
    }
  },
  doubt(item) {
    list.pendingChanged(item);
  },
  event(event) {
    if (event.t === "refused") {
      say(event);
    } else {
      store.take(event);
    }
  },
  fatal({ code, text }) {
    if (code === "replaced") {
      $("banner").hidden = false;
      return $("banner").replaceChildren(
        t("This login is now open in another window."),
        button("Now", () => location.reload()),
      );
    }
    const claimed = code === "claimed" || code === "wrong_password";
    $("login").hidden = false;
    $("chat").hidden = true;
    $("secret").hidden = !claimed;
    $("login-password").value = "";
    $("login-error").textContent =
      code === "claimed"
        ? t("This login has an owner: enter its password, or choose another.")
        : text;
    $(claimed ? "login-password" : "login-name").focus();
  },
};
store.on = {
  row(room, row) {
    const open = room === store.open;
    if (open && $("search").hidden) {
      list.append(row);
    }
    if (row.said && !row.own && row.seq > store.base) {
      if (open) {
        announce(row);
      }
      if ((row.mention || !room.isRoom) && (document.hidden || !open)) {
        notify(row, room, () => location.assign(address(room)));
      }
    }
    store.on.drawn();
  },
  changed(room, row) {
    if (room === store.open) {
      list.changed(row);
    }
  },
  ticks(room) {
    if (room === store.open) {
      list.ticks();
    }
  },
  drawn() {
    soon ||= setTimeout(draw, 100);
  },
};

// -- login ----------------------------------------------------------------------------------------
async function enter(login, password) {
  net.head = null;
  outbox = await new Outbox(login, net.device).open();
  net.outbox = outbox;
  net.key = await kept(login);
  net.start(login, password);
}

// -- keys, links, window --------------------------------------------------------------------------
function go(step) {
  const all = store.ordered();
  open(all.at((all.indexOf(store.open) + step) % all.length).to);
}
function unread() {
  const all = store.ordered().filter((room) => room.unread);
  const next = all.find((room) => room.mentions) || all[0];
  if (next) {
    open(next.to);
  }
}
const goto = () =>
  switcher(store, (to) => (to[0] === "#" && !store.find(to) ? join(to) : open(to)));
function goBack() {
  if (!closeSearch() && !composer.cancel()) {
    pane.remove("side", "people");
    newest();
  }
  $("composer").focus();
}
const keys = {
  "Alt+ArrowDown": () => go(1),
  "Alt+ArrowUp": () => go(-1),
  "Alt+KeyA": unread,
  "Ctrl+KeyK": goto,
  Escape: goBack,
};
window.onkeydown = (event) => {
  if ($("chat").hidden || $("dialog").open) {
    return;
  }
  const chord = (event.ctrlKey ? "Ctrl+" : "") + (event.altKey ? "Alt+" : "") + event.code;
  const act =
    keys[chord] ||
    (!event.target.matches("input, textarea") && { "/": find, "?": help }[event.key]);
  if (act) {
    event.preventDefault();
    act();
  }
};

// A part of a link; "" when somebody has cut it in the middle of a letter.
function decoded(part) {
  try {
    return decodeURIComponent(part);
  } catch {
    return "";
  }
}

function route() {
  const [, kind, rest] = /^#\/([rum])\/(.+)$/.exec(location.hash) || [];
  const word = rest && decoded(rest);
  const to = word ? (kind === "u" ? "@" : "#") + word : "#all";
  if (kind === "m") {
    locate(Number(word));
  } else if (!store.open || !same(store.open.to, to) || !store.open.loaded) {
    open(to);
  }
}
async function locate(seq) {
  await rooms();
  for (const { to } of store.ordered()) {
    const query = { t: "history", to, around: seq, limit: 1 };
    const { messages } = await net.ask(query).catch(() => ({ messages: [] })); // left meanwhile
    if (messages.some((message) => message.seq === seq)) {
      await open(to, false);
      return jump(seq);
    }
  }
  say(t("There is no such message in your conversations."));
  open("#all");
}
window.onpopstate = () => {
  if (net.state === "online") {
    route();
  }
};
// What the server refuses is told, whoever asked for it.
window.onunhandledrejection = (event) => {
  if (event.reason?.code) {
    event.preventDefault();
    say(event.reason);
  }
};
window.onfocus = seen;
document.onvisibilitychange = seen;
// iOS keeps the layout viewport when its keyboard opens.
const view = /** @type {VisualViewport} */ (window.visualViewport);
view.onresize = () => {
  document.documentElement.style.setProperty("--height", `${view.height}px`);
};

const clicks = {
  newer: newest,
  goto,
  "open-help": help,
  "open-search": find,
  "search-close": goBack,
  "context-close": goBack,
  "open-settings": () => settings(net, () => leave(store.open.to)),
  menu: () => pane.add("side"),
  "side-close": () => pane.remove("side"),
  "people-button": () => pane.toggle("people"),
};
for (const [id, act] of Object.entries(clicks)) {
  $(id).onclick = act;
}
$("body").onclick = ({ target }) => {
  if (!target.closest("#menu, #people-button")) {
    pane.remove("side", "people");
  }
};
const forms = {
  "login-form"() {
    $("login-error").textContent = "";
    enter($("login-name").value.trim(), $("login-password").value);
  },
  join() {
    const room = $("join-name").value.trim();
    $("join-name").value = "";
    if (room) {
      join(room);
    }
  },
  search,
};
for (const [id, act] of Object.entries(forms)) {
  $(id).onsubmit = (event) => {
    event.preventDefault();
    act();
  };
}
$("search").oninput = () => {
  clearTimeout(searching);
  searching = setTimeout(search, 250);
};

// What the server's key is called, to compare with what its operator says.
if (isSecureContext) {
  fetch("healthz")
    .then((answer) => answer.json())
    .then(
      ({ words }) => {
        $("login-words").textContent = words || "";
      },
      () => {},
    );
}
translate();
const known = browser.get("login");
$("login-hint").textContent =
  `tcpchat client ${location.hostname} ${location.port || (location.protocol === "https:" ? 443 : 80)}`;
$("login-name").value = known;
if (known && tab.get("in")) {
  enter(known, "");
} else {
  $("login").hidden = false;
  $("login-name").focus();
}
