/** The names of sessions as bytes and back. A few proposers make nearly all entries, so their names are remembered. */

const encoder = new TextEncoder();
const decoder = new TextDecoder();
const KEPT = 64;

/** Names that were met lately; the hash only finds where to look. */
const met = new Array<{ readonly name: string; readonly bytes: Uint8Array } | undefined>(KEPT);
let last: { readonly name: string; readonly bytes: Uint8Array } | undefined;

/** What the sessions of a member begin with, for whoever reads a log. What follows makes them unique. */
export function sessionPrefix(member: string): string {
  return member.slice(0, 64);
}

/** The bytes of a name. Not to be changed. */
export function encodeSessionName(name: string): Uint8Array {
  if (last?.name !== name) last = { name, bytes: encoder.encode(name) };
  return last.bytes;
}

/** The name that these bytes are. */
export function decodeSessionName(bytes: Uint8Array): string {
  let hash = 0;
  for (const byte of bytes) hash = (Math.imul(hash, 31) + byte) | 0;
  const place = hash & (KEPT - 1);
  const known = met[place];
  if (known !== undefined && isSame(known.bytes, bytes)) return known.name;
  const name = decoder.decode(bytes);
  met[place] = { name, bytes: bytes.slice() };
  return name;
}

function isSame(one: Uint8Array, other: Uint8Array): boolean {
  if (one.length !== other.length) return false;
  for (let at = 0; at < one.length; at++) if (one[at] !== other[at]) return false;
  return true;
}
