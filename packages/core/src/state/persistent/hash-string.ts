/**
 * The hash by which the persistent map spreads its keys. It must stay the same for ever within one process, and
 * changing it changes the iteration order of every map, so it takes no seed.
 */

/**
 * A 32-bit hash of a string: FNV-1a over its UTF-16 code units, then the finalizer of MurmurHash3, which brings
 * differences in the high bits down to the low ones that the trie branches on first. Not meant to withstand an
 * adversary: colliding keys still work, they are only found by comparing one after the other.
 *
 * Sources: Fowler, Noll, Vo, "FNV hash" (IETF draft); Appleby, MurmurHash3 (public domain).
 */
export function hashString(key: string): number {
  let hash = 0x811c9dc5 | 0;
  for (let i = 0; i < key.length; i += 1) {
    hash = Math.imul(hash ^ key.charCodeAt(i), 0x01000193);
  }
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return hash ^ (hash >>> 16);
}
