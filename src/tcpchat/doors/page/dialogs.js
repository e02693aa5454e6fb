// Boxes over the page: go to, who has it, settings, help. One <dialog>, which keeps the focus inside by itself.
import { WORDS, clean, make } from "./list.js";
import { t } from "./words.js";

const box = document.getElementById("dialog");
function show(title, ...body) {
  box.setAttribute("aria-label", title);
  box.replaceChildren(make("h2", {}, title), ...body);
  if (!box.open) box.showModal();
}
const shut = () => make("div", { class: "row" }, make("span"), make("button", { onclick: () => box.close() }, t("Close")));

export function switcher(store, go) {
  const input = make("input", { "aria-label": t("Go to"), role: "combobox", "aria-expanded": "true", "aria-controls": "hits", autocomplete: "off" }), hits = make("ul", { id: "hits", role: "listbox", "aria-label": t("Go to") });
  let found = [], at = 0;
  const choose = (to) => { box.close(); go(to); };
  const draw = () => {
    const words = input.value.trim().toLowerCase();
    const rooms = store.ordered().map((r) => ({ to: r.to, unread: r.unread, mentions: r.mentions }));
    const people = [...store.people.values()].map((p) => ({ to: "@" + p.login, unread: 0, mentions: 0 })).filter((p) => !rooms.some((r) => r.to === p.to) && !store.mine(p.to.slice(1)));
    found = [...rooms, ...people].filter((x) => x.to.toLowerCase().includes(words)).sort((a, b) => b.mentions - a.mentions || b.unread - a.unread).slice(0, 12);
    if (words && !found.some((x) => x.to.slice(1).toLowerCase() === words.replace(/^#/, ""))) found.push({ to: "#" + words.replace(/^#/, "").replaceAll(" ", "-"), make: true });
    at = Math.min(at, Math.max(0, found.length - 1));
    hits.replaceChildren(...found.map((x, i) => make("li", { role: "option", id: `hit-${i}`, "aria-selected": String(i === at), onclick: () => choose(x.to) }, make("bdi", {}, clean(x.to)), make("span", {}, x.make ? t("Join") : x.unread ? t("{0} unread", x.unread) : ""))));
    input.setAttribute("aria-activedescendant", `hit-${at}`);
  };
  input.oninput = () => { at = 0; draw(); };
  input.onkeydown = (event) => {
    if (event.key === "Enter" && found[at]) { event.preventDefault(); choose(found[at].to); }
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step) { event.preventDefault(); at = (at + step + found.length) % found.length; draw(); }
  };
  show(t("Go to"), input, hits);
  draw(); input.focus();
}

export function receipts(list) {
  const rows = list.people.map((p) => make("tr", {}, make("td", {}, make("bdi", {}, clean(p.login))), make("td", {}, p.state === "accepted" ? t("waiting") : t(WORDS[p.state])), make("td", {}, p.at ? new Date(p.at).toLocaleString() : "")));
  show(t("Who has it"), make("table", {}, ...rows), shut());
}

export function settings({ net, notices, askNotices, leave, quit }) {
  const theme = make("select", { "aria-label": t("Theme"), onchange: () => { document.documentElement.dataset.theme = theme.value; localStorage.setItem("tcpchat.theme", theme.value); } },
    ...[["", "as the system"], ["light", "light"], ["dark", "dark"]].map(([value, word]) => make("option", { value, selected: (localStorage.getItem("tcpchat.theme") || "") === value }, t(word))));
  const read = make("input", { type: "checkbox", checked: localStorage.getItem("tcpchat.receipts") !== "off", onchange: () => { const value = read.checked ? "" : "off"; localStorage.setItem("tcpchat.receipts", value); net.ask({ t: "set", key: "receipts", value }).catch(() => {}); } });
  const state = notices(), password = make("input", { type: "password", autocomplete: "new-password", "aria-label": t("Set a password") }), said = make("p", { role: "status" });
  const save = () => net.ask({ t: "password", password: "", new: password.value }).then(() => { said.textContent = "✓"; password.value = ""; }, (error) => { said.textContent = error.text; });
  show(t("Settings"),
    make("div", { class: "row" }, t("Theme"), theme),
    make("label", { class: "row" }, t("Let others see what I have read"), read),
    make("div", { class: "row" }, state || make("button", { onclick: () => askNotices().then(() => box.close()) }, t("Turn on notifications"))),
    make("form", { class: "row", onsubmit: (event) => { event.preventDefault(); save(); } }, password, make("button", {}, t("Set a password"))), said,
    make("div", { class: "row" }, make("button", { onclick: () => { box.close(); leave(); } }, t("Leave room")), make("button", { onclick: quit }, t("Leave chat"))), shut());
}

export function help() {
  const keys = [["Enter / Shift+Enter", "send / new line"], ["Alt+↓ / Alt+↑", "next / previous room"], ["Alt+A, Alt+Shift+↓", "next unread"], ["Ctrl+K", "Go to"], ["/", "Search"], ["↑", "edit the last own message"], ["Esc", "back to the newest, mark read"], ["↑ ↓ Home End", "move between messages"], ["?", "this help"]];
  const ticks = [["…", "sending"], ["✓", "sent"], ["✓✓", "delivered"], ["✓✓ " + t("read"), "read"], ["✗", "not sent"]];
  const table = (rows) => make("table", {}, ...rows.map(([key, word]) => make("tr", {}, make("td", {}, make("kbd", {}, key)), make("td", {}, t(word)))));
  show(t("Help"), table(keys), make("hr"), table(ticks), shut());
}
