// The message field: sending, slash commands, replies, edits, completion of names.
import { $, clean } from "./dom.js";
import { t } from "./words.js";

const box = $("composer");

export class Composer {
	// actions: say (show an error), join, leave, open, newest, help
	constructor(store, net, actions) {
		Object.assign(this, { store, net, actions });
		$("composer-form").onsubmit = (event) => { event.preventDefault(); this.submit(); };
		box.oninput = () => { this.grow(); this.typing(); };
		box.onkeydown = (event) => {
			const plain = !event.shiftKey && !event.altKey && !event.isComposing, act = { Enter: plain && this.submit, ArrowUp: !box.value && this.editLast, Tab: plain && this.complete }[event.key];
			if (act && act.call(this)) event.preventDefault();
		};
	}

	grow() { box.style.height = "auto"; box.style.height = Math.min(box.scrollHeight + 2, 152) + "px"; }

	// Another conversation: keep its draft, show that of the new one.
	swap(from, to) {
		if (from) from.draft = this.kind === "edit" ? "" : box.value;
		this.context();
		box.value = to.draft;
		box.placeholder = box.ariaLabel = t("Message {0}", to.to);
		this.grow();
	}

	typing() {
		const room = this.store.open, now = Date.now();
		if (!box.value || box.value[0] === "/" || now < (room.told || 0) + 3000) return;
		room.told = now;
		this.net.send({ t: "typing", to: room.to });
	}

	// kind "re": an answer to the row; "edit": the row gets another text; none: a message of its own.
	context(kind, row) {
		Object.assign(this, { kind, row });
		$("context").hidden = !kind;
		if (!kind) return;
		$("context-text").textContent = kind === "re" ? t("Replying to {0}", `${clean(row.by)}: ${clean(row.text).slice(0, 60)}`) : t("Editing");
		if (kind === "edit") { box.value = row.text; this.grow(); }
		box.focus();
	}

	cancel() {
		const { kind } = this;
		if (kind === "edit") box.value = "";
		this.context();
		return kind;
	}

	editLast() {
		const own = this.store.open.rows.findLast((row) => row.own && !row.removed);
		if (own) this.context("edit", own);
		return own;
	}

	submit() { this.send(box.value.trimEnd()); return true; }

	async send(text) {
		const { kind, row, net, actions } = this, room = this.store.open, [, word, rest] = (kind !== "edit" && /^\/(\w+) *([^]*)$/.exec(text)) || [], command = word && this.commands(room, rest)[word.toLowerCase()];
		if (!text) return;
		if (new TextEncoder().encode(text).length > net.maxText) return actions.say(t("Longer than {0} bytes.", net.maxText));
		if (word && !command) return actions.say(t("No command /{0}. //{0} sends it as text.", word));
		box.value = "";
		this.grow();
		this.context();
		try {
			if (command) await command();
			else if (kind === "edit") await net.ask({ t: "edit", seq: row.seq, text });
			else net.say({ to: room.to, text: text.replace(/^\/\//, "/"), re: kind && row.seq });
			if (room.gap) await actions.newest();
		} catch (error) { box.value ||= text; actions.say(error); }
	}

	commands({ to }, rest) {
		const { net, actions } = this, [, login, why] = /^@?(\S*) *([^]*)$/.exec(rest), ask = (t, more) => () => net.ask({ t, ...more });
		return {
			join: () => actions.join(rest), leave: () => actions.leave(rest || to), topic: ask("topic", { room: to, text: rest }), me: () => net.say({ to, text: rest, kind: "action" }),
			msg() { actions.open("@" + login); if (why) net.say({ to: "@" + login, text: why }); }, help: actions.help,
			invite: ask("invite", { room: to, login }), kick: ask("kick", { room: to, login, why }), nick: ask("rename", { to: rest }), away: ask("away", { why: rest || "…" }), back: ask("away"),
		};
	}

	// The end of a word that begins a login of those who spoke here or are known.
	complete() {
		const before = box.value.slice(0, box.selectionStart), [, word] = /(?:^|[\s@])([^\s@]+)$/.exec(before) || [];
		const logins = [...this.store.open.rows.map(({ by }) => by).reverse(), ...[...this.store.people.values()].map(({ login }) => login)];
		const hit = word && logins.find((login) => login && !this.store.mine(login) && login.toLowerCase().startsWith(word.toLowerCase()));
		if (hit) box.setRangeText(hit + (before === word ? ": " : " "), before.length - word.length, before.length, "end");
		return hit;
	}
}
