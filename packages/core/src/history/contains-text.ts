/** Whether bytes hold a text: quicker than decoding what they say. */

/** A text to look for, as bytes. */
export class Needle {
  readonly bytes: Uint8Array;

  /** @param text - not empty. */
  constructor(text: string) {
    this.bytes = new TextEncoder().encode(text);
  }

  /** Whether the text stands anywhere in the bytes. A native search for its last byte: ids differ in their ends. */
  isIn(hay: Uint8Array): boolean {
    const needle = this.bytes;
    const before = needle.length - 1;
    const last = needle[before] ?? 0;
    for (let at = hay.indexOf(last, before); at !== -1; at = hay.indexOf(last, at + 1)) {
      let offset = before - 1;
      while (offset >= 0 && needle[offset] === hay[at - before + offset]) offset -= 1;
      if (offset < 0) return true;
    }
    return false;
  }
}

/** Those of these that hold one of the texts. */
export function holding<T extends { readonly payload: Uint8Array }>(
  records: readonly T[],
  needles: readonly Needle[],
): T[] {
  return records.filter(({ payload }) => needles.some((needle) => needle.isIn(payload)));
}
