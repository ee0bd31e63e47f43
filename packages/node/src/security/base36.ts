/** Numbers as letters and digits: what people copy from one terminal to another. */

const BASE = 36n;

/** The bytes as one big-endian number in base 36, padded with zeros to `length`. */
export function toBase36(bytes: Uint8Array, length: number): string {
  let value = 0n;
  for (const byte of bytes) value = (value << 8n) | BigInt(byte);
  return value.toString(Number(BASE)).padStart(length, '0');
}

/** The other way round; undefined if the text is none, or its number has more than `bytes` bytes. */
export function fromBase36(text: string, bytes: number): Uint8Array | undefined {
  if (!/^[0-9a-z]+$/.test(text)) return undefined;
  let value = 0n;
  for (const digit of text) value = value * BASE + BigInt(Number.parseInt(digit, Number(BASE)));
  const result = new Uint8Array(bytes);
  for (let at = bytes - 1; at >= 0; at--) {
    result[at] = Number(value & 0xffn);
    value >>= 8n;
  }
  return value === 0n ? result : undefined;
}
