// The message field: sending, slash commands, replies, edits, completion of names.
import { $, clean } from "./dom.js";
import { t } from "./words.js";

const box = $("composer");

export class Composer {
  /** "re": an answer to the row; "edit": the row gets another text; none: a message of its own. */
  kind = "";
  /** @type {any} the row it is about */
  row = null;

  /**
   * @param {import("./store.js").Store} store
   * @param {import("./net.js").Net} net
   * @param {Record<string, Function>} actions say (show an error), join, leave, open, newest, help
   */
  constructor(store, net, actions) {
    this.store = store;
    this.net = net;
    this.actions = actions;
    $("composer-form").onsubmit = (event) => {
      event.preventDefault();
      this.submit();
    };
    box.oninput = () => {
      this.grow();
      this.typing();
    };
    box.onkeydown = (event) => {
      const plain = !event.shiftKey && !event.altKey && !event.isComposing;
      let done = false;
      if (event.key === "Enter" && plain) {
        done = this.submit();
      } else if (event.key === "ArrowUp" && !box.value) {
        done = this.editLast();
      } else if (event.key === "Tab" && plain) {
        done = this.complete();
      }
      if (done) {
        event.preventDefault();
      }
    };
  }

  grow() {
    box.style.height = "auto";
    box.style.height = `${Math.min(box.scrollHeight + 2, 152)}px`;
  }

  // Another conversation: keep its draft, show that of the new one.
  swap(from, to) {
    if (from) {
      from.draft = this.kind === "edit" ? "" : box.value;
    }
    this.context();
    box.value = to.draft;
    box.placeholder = t("Message {0}", to.to);
    box.ariaLabel = box.placeholder;
    this.grow();
  }

  typing() {
    const room = this.store.open;
    const now = Date.now();
    if (!box.value || box.value[0] === "/" || now < (room.told || 0) + 3000) {
      return;
    }
    room.told = now;
    this.net.send({ t: "typing", to: room.to });
  }

  // What the next message is about; see kind.
  context(kind = "", row = /** @type {any} */ (null)) {
    this.kind = kind;
    this.row = row;
    $("context").hidden = !kind;
    if (!kind) {
      return;
    }
    $("context-text").textContent =
      kind === "re"
        ? t("Replying to {0}", `${clean(row.by)}: ${clean(row.text).slice(0, 60)}`)
        : t("Editing");
    if (kind === "edit") {
      box.value = row.text;
      this.grow();
    }
    box.focus();
  }

  cancel() {
    const { kind } = this;
    if (kind === "edit") {
      box.value = "";
    }
    this.context();
    return kind;
  }

  editLast() {
    const own = this.store.open.rows.findLast((row) => row.own && !row.removed);
    if (own) {
      this.context("edit", own);
    }
    return Boolean(own);
  }

  submit() {
    this.send(box.value.trimEnd());
    return true;
  }

  async send(text) {
    const { kind, row, net, actions } = this;
    const room = this.store.open;
    const [, word, rest] = (kind !== "edit" && /^\/(\w+) *([\s\S]*)$/.exec(text)) || [];
    const commands = new Map(Object.entries(this.commands(room, rest || "")));
    const command = word && commands.get(word.toLowerCase());
    if (!text) {
      return;
    }
    if (new TextEncoder().encode(text).length > net.maxText) {
      return actions.say(t("Longer than {0} bytes.", net.maxText));
    }
    if (word && !command) {
      return actions.say(t("No command /{0}. //{0} sends it as text.", word));
    }
    box.value = "";
    this.grow();
    this.context();
    try {
      if (command) {
        await command();
      } else if (kind === "edit") {
        await net.ask({ t: "edit", seq: row.seq, text });
      } else {
        net.say({ to: room.to, text: text.replace(/^\/\//, "/"), re: kind ? row.seq : undefined });
      }
      if (room.gap) {
        await actions.newest();
      }
    } catch (error) {
      box.value ||= text;
      actions.say(error);
    }
  }

  commands({ to }, rest) {
    const { net, actions } = this;
    const [, login, why] = /^@?(\S*) *([\s\S]*)$/.exec(rest) || [];
    const ask =
      (kind, more = {}) =>
      () =>
        net.ask({ t: kind, ...more });
    return {
      join: () => actions.join(rest),
      leave: () => actions.leave(rest || to),
      topic: ask("topic", { room: to, text: rest }),
      me: () => net.say({ to, text: rest, kind: "action" }),
      msg() {
        actions.open(`@${login}`);
        if (why) {
          net.say({ to: `@${login}`, text: why });
        }
      },
      help: actions.help,
      invite: ask("invite", { room: to, login }),
      kick: ask("kick", { room: to, login, why }),
      nick: ask("rename", { to: rest }),
      away: ask("away", { why: rest || "…" }),
      back: ask("away"),
    };
  }

  // The end of a word that begins a login of those who spoke here or are known.
  complete() {
    const before = box.value.slice(0, box.selectionStart);
    const [, word] = /(?:^|[\s@])([^\s@]+)$/.exec(before) || [];
    const logins = [
      ...this.store.open.rows.map(({ by }) => by).reverse(),
      ...[...this.store.people.values()].map(({ login }) => login),
    ];
    const hit =
      word &&
      logins.find(
        (login) =>
          login && !this.store.mine(login) && login.toLowerCase().startsWith(word.toLowerCase()),
      );
    if (hit) {
      box.setRangeText(
        hit + (before === word ? ": " : " "),
        before.length - word.length,
        before.length,
        "end",
      );
    }
    return Boolean(hit);
  }
}
