/**
 * Rendezvous hashing (Thaler and Ravishankar, "Using name-based mappings to increase hit rates", 1998): every target
 * has a score for a client, and the highest wins. All nodes come to the same answer without telling each other, and
 * when a target leaves, only its own clients go elsewhere.
 */

const OFFSET = 0x811c9dc5;
const PRIME = 0x01000193;

/** Score of a target for a client, a whole number from 0 to 2³²−1. */
export function score(client: string, target: string): number {
  let hash = OFFSET;
  for (let at = 0; at < client.length; at++) hash = Math.imul(hash ^ client.charCodeAt(at), PRIME);
  // So that `1` + `23` is another one than `12` + `3`.
  hash = Math.imul(hash ^ 0xff, PRIME);
  for (let at = 0; at < target.length; at++) hash = Math.imul(hash ^ target.charCodeAt(at), PRIME);
  // The finalizer of MurmurHash3: without it, names that differ in their last letter have scores in one order.
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}
