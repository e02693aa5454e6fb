// Boxes over the page: go to, who has it, settings, help. One <dialog>, which keeps the focus
// inside by itself.
import { $, browser, button, h, name } from "./dom.js";
import { forget } from "./keys.js";
import { ticks, WORDS } from "./list.js";
import { noticeState } from "./notify.js";
import { t } from "./words.js";

const box = $("dialog");
const row = (...children) => h("label.row", null, ...children);
const table = (rows) =>
  h(
    "table",
    null,
    ...rows.map((cells) => h("tr", null, ...cells.map((cell) => h("td", null, cell)))),
  );

function show(title, ...body) {
  box.ariaLabel = t(title);
  box.replaceChildren(
    h(
      "p.row",
      null,
      h("b", null, t(title)),
      button("Close", () => box.close()),
    ),
    ...body,
  );
  if (!box.open) {
    box.showModal();
  }
}

export function switcher(store, go) {
  let found = [];
  let at = 0;
  const hits = h("ul", { id: "hits", role: "listbox", ariaLabel: t("Go to") });
  const choose = (to) => {
    box.close();
    go(to);
  };
  const draw = () => {
    const words = input.value.trim().toLowerCase();
    const bare = words.replace(/^[#@]/, "").replaceAll(" ", "-");
    const rooms = store.ordered().sort((a, b) => b.mentions - a.mentions || b.unread - a.unread);
    const people = [...store.people.values()]
      .map(({ login }) => ({ to: `@${login}` }))
      .filter(({ to }) => !store.find(to) && !store.mine(to.slice(1)));
    found = [...rooms, ...people].filter(({ to }) => to.toLowerCase().includes(words)).slice(0, 12);
    if (bare && !found.some(({ to }) => to.slice(1).toLowerCase() === bare)) {
      found.push({ to: `#${bare}`, fresh: true });
    }
    at = (at + found.length) % found.length;
    hits.replaceChildren(
      ...found.map(({ to, unread, fresh }, i) =>
        h(
          "li.row",
          { role: "option", id: `hit${i}`, ariaSelected: `${i === at}`, onclick: () => choose(to) },
          name(to),
          fresh ? t("Join") : unread && t("{0} unread", unread),
        ),
      ),
    );
    input.setAttribute("aria-activedescendant", `hit${at}`);
  };
  const input = h("input", {
    ariaLabel: t("Go to"),
    role: "combobox",
    ariaExpanded: "true",
    "aria-controls": "hits",
    autocomplete: "off",
    oninput() {
      at = 0;
      draw();
    },
  });
  input.onkeydown = (event) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step) {
      at += step;
      draw();
    } else if (event.key === "Enter") {
      choose(found[at].to);
    } else {
      return;
    }
    event.preventDefault();
  };
  show("Go to", input, hits);
  draw();
  input.focus();
}

export const receipts = ({ people }) =>
  show(
    "Who has it",
    table(
      people.map(({ login, state, at }) => [
        name(login),
        t(state === "accepted" ? "waiting" : WORDS[state]),
        at && new Date(at).toLocaleString(),
      ]),
    ),
  );

export function settings(net, leave) {
  const said = h("p", { role: "status" });
  const tell = ({ text }) => {
    said.textContent = text || t("No connection.");
  };
  const read = h("input", {
    type: "checkbox",
    checked: !browser.get("receipts"),
    onchange() {
      const value = read.checked ? "" : "off";
      browser.set("receipts", value);
      net.ask({ t: "set", key: "receipts", value }).catch(tell);
    },
  });
  const password = h("input", {
    type: "password",
    autocomplete: "new-password",
    ariaLabel: t("Password"),
  });
  const save = () =>
    net
      .ask({ t: "password", password: "", new: password.value })
      .then(() => tell({ text: "✓" }))
      .catch(tell);
  show(
    "Settings",
    row(t("Show others what I have read"), read),
    row(
      noticeState() ||
        button("Turn on notifications", () =>
          Notification.requestPermission().then(() => settings(net, leave)),
        ),
    ),
    h("p.row", null, password, button("Set password", save)),
    said,
    h(
      "p.row",
      null,
      button("Leave room", () => {
        box.close();
        leave();
      }),
      button("Leave chat", () => {
        net.stop();
        browser.set("login", "");
        forget(net.login).then(() => location.reload());
      }),
    ),
  );
}

export function help() {
  const keys = {
    Enter: "Send",
    "Shift+Enter": "new line",
    "Alt+↓ Alt+↑": "next, previous room",
    "Alt+A": "next unread",
    "Ctrl+K": "Go to",
    "/": "Search",
    "↑": "edit the last message",
    Esc: "Newest",
    "↑ ↓": "other messages",
    "?": "Help",
  };
  show(
    "Help",
    table(Object.entries(keys).map(([key, word]) => [h("kbd", null, key), t(word)])),
    h("hr"),
    table(Object.entries(WORDS).map(([state, word]) => [ticks(state), t(word)])),
  );
}
