/** IP addresses and subnets, of both families, as numbers that can be counted in. Pure; texts are read by `ipaddr.js`. */

import ipaddr from 'ipaddr.js';

/** `4` or `6`. */
export type AddressFamily = 4 | 6;

/** One address. */
export interface Address {
  readonly family: AddressFamily;
  /** As a number: `10.0.0.1` is 0x0a000001. */
  readonly value: bigint;
}

/** Addresses that share a prefix: `10.0.1.0/24`. */
export interface Subnet {
  readonly family: AddressFamily;
  /** Its lowest address, as a number. */
  readonly first: bigint;
  /** Length of the prefix, in bits. */
  readonly prefix: number;
}

const BITS: Readonly<Record<AddressFamily, number>> = { 4: 32, 6: 128 };

/** The address that a text says: dotted decimal, or IPv6 without a zone. `undefined`: none. */
export function parseAddress(text: string): Address | undefined {
  // The library also takes the likes of `0x7f.1`, which nobody means.
  if (ipaddr.IPv4.isValidFourPartDecimal(text))
    return { family: 4, value: asNumber(ipaddr.IPv4.parse(text).toByteArray()) };
  if (!text.includes(':') || text.includes('%') || !ipaddr.IPv6.isValid(text)) return undefined;
  return { family: 6, value: asNumber(ipaddr.IPv6.parse(text).toByteArray()) };
}

/** The subnet that a text says, `ADDRESS/PREFIX`. `undefined`: none, or its address is not its lowest. */
export function parseSubnet(text: string): Subnet | undefined {
  const [address, prefix, ...rest] = text.split('/');
  const parsed = address === undefined || rest.length > 0 ? undefined : parseAddress(address);
  if (!parsed || prefix === undefined || !/^\d{1,3}$/.test(prefix)) return undefined;
  const length = Number(prefix);
  if (length > BITS[parsed.family]) return undefined;
  const subnet = { family: parsed.family, first: parsed.value, prefix: length };
  return parsed.value % subnetSize(subnet) === 0n ? subnet : undefined;
}

/** An address as text, in its shortest form. */
export function formatAddress({ family, value }: Address): string {
  const bytes: number[] = [];
  for (let rest = value, left = BITS[family] / 8; left > 0; left--) {
    bytes.unshift(Number(rest & 0xffn));
    rest >>= 8n;
  }
  return ipaddr.fromByteArray(bytes).toString();
}

/** A subnet as text. */
export function formatSubnet({ family, first, prefix }: Subnet): string {
  return `${formatAddress({ family, value: first })}/${prefix}`;
}

/** How many addresses it has, its lowest and its highest included. */
export function subnetSize({ family, prefix }: Pick<Subnet, 'family' | 'prefix'>): bigint {
  return 1n << BigInt(BITS[family] - prefix);
}

/** Whether the address lies in the subnet. */
export function containsAddress(subnet: Subnet, { family, value }: Address): boolean {
  return family === subnet.family && value >= subnet.first && value < subnet.first + subnetSize(subnet);
}

/** Whether all of `inner` lies in `outer`. */
export function containsSubnet(outer: Subnet, inner: Subnet): boolean {
  return outer.prefix <= inner.prefix && containsAddress(outer, { ...inner, value: inner.first });
}

/** Whether any address lies in both. */
export function overlaps(a: Subnet, b: Subnet): boolean {
  return containsSubnet(a, b) || containsSubnet(b, a);
}

function asNumber(bytes: readonly number[]): bigint {
  return bytes.reduce((value, byte) => (value << 8n) | BigInt(byte), 0n);
}
