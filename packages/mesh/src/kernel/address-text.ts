/** Addresses as rules have them. Text that is no address never gets into a rule. */

import { isIPv4, isIPv6 } from 'node:net';

export type Family = 4 | 6;

const GROUPS = 8;

/** Its family. Undefined: it is no address. */
export function familyOf(address: string): Family | undefined {
  if (isIPv4(address)) return 4;
  // A zone (`fe80::1%eth0`) means something on one node only.
  return isIPv6(address) && !address.includes('%') ? 6 : undefined;
}

/** The addresses of one family. */
export function ofFamily(addresses: readonly string[], family: Family): readonly string[] {
  return addresses.filter((address) => familyOf(address) === family);
}

/** The 128 bits of an IPv6 address: `0xfd00…`. */
export function ipv6Digits(address: string): string {
  const [head = '', tail] = address.split('::');
  const before = groups(head);
  const after = tail === undefined ? [] : groups(tail);
  const zeros = Array<string>(GROUPS - before.length - after.length).fill('0');
  return `0x${[...before, ...zeros, ...after].map((group) => group.padStart(4, '0')).join('')}`;
}

/** The last two groups may be written as an IPv4 address. */
function groups(text: string): readonly string[] {
  if (text === '') return [];
  return text.split(':').flatMap((group) => {
    if (!group.includes('.')) return [group];
    const [a = 0, b = 0, c = 0, d = 0] = group.split('.').map(Number);
    return [(a * 256 + b).toString(16), (c * 256 + d).toString(16)];
  });
}

/** `10.0.1.0/24` → 24. Undefined: there is none. */
export function prefixOf(subnet: string): number | undefined {
  const [address = '', prefix] = subnet.split('/');
  const bits = Number(prefix);
  const family = familyOf(address);
  if (family === undefined || prefix === undefined || !/^\d+$/.test(prefix)) return undefined;
  return bits <= (family === 4 ? 32 : 128) ? bits : undefined;
}
