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

/** The name that the bytes are from `start` up to `end`. */
export function decodeSessionName(bytes: Uint8Array, start: number, end: number): string {
  let hash = 0;
  for (let at = start; at < end; at++) hash = (Math.imul(hash, 31) + (bytes[at] ?? 0)) | 0;
  const place = hash & (KEPT - 1);
  const known = met[place];
  if (known !== undefined && isThere(known.bytes, bytes, start, end)) return known.name;
  const name = decoder.decode(bytes.subarray(start, end));
  met[place] = { name, bytes: bytes.slice(start, end) };
  return name;
}

function isThere(known: Uint8Array, bytes: Uint8Array, start: number, end: number): boolean {
  if (known.length !== end - start) return false;
  for (let at = 0; at < known.length; at++) if (known[at] !== bytes[start + at]) return false;
  return true;
}
