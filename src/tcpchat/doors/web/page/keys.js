// The key of this browser for a login with an owner: made at the first login by password, so that
// the next one needs none.
// Its private half cannot be read by anybody, this page included. Where there is no https there is
// no such key.
const fold = (login) => login.normalize("NFKC").toLowerCase().replace(/[\s_]/g, " ");
const base64 = (bytes) =>
  btoa(String.fromCharCode(...new Uint8Array(bytes)))
    .replace(/\+/g, "-")
    .replace(/\//g, "_")
    .replace(/=/g, "");
const run = (act) =>
  new Promise((done, fail) => {
    const ask = indexedDB.open("tcpchat-keys", 1);
    ask.onupgradeneeded = () => ask.result.createObjectStore("keys");
    ask.onerror = fail;
    ask.onsuccess = () => {
      const work = act(ask.result.transaction("keys", "readwrite").objectStore("keys"));
      work.onsuccess = () => done(work.result);
      work.onerror = fail;
    };
  });

export const kept = (login) => run((store) => store.get(fold(login))).catch(() => {});
export const keep = (login, key) => run((store) => store.put(key, fold(login)));
export const forget = (login) => run((store) => store.delete(fold(login))).catch(() => {});

export async function make() {
  const { privateKey, publicKey } = await crypto.subtle.generateKey("Ed25519", false, [
    "sign",
    "verify",
  ]);
  return { privateKey, key: `ed25519:${base64(await crypto.subtle.exportKey("raw", publicKey))}` };
}

// What a key signs: for the server that names itself so, at the address of this page; a page cannot
// see the certificate. Without a server, for adding the key to a login that is logged in: only that
// the key is held.
export async function prove({ privateKey, key }, nonce, login, server = "") {
  const at = server && location.host;
  const text = server
    ? `tcpchat-auth-2\n${nonce}\n${fold(login)}\n${server}\n${at}\nws\n`
    : `tcpchat-auth-1\n${nonce}\n${fold(login)}\n`;
  return {
    key,
    ...(at && { at }),
    signature: base64(
      await crypto.subtle.sign("Ed25519", privateKey, new TextEncoder().encode(text)),
    ),
  };
}
