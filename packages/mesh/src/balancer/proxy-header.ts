/** The client's address as the PROXY protocol tells it (HAProxy's `proxy-protocol.txt`), versions 1 and 2. Pure. */

import { isIPv4, isIPv6 } from 'node:net';

/** Both ends of the client's connection. */
export interface ProxiedEnds {
  readonly source: { readonly host: string; readonly port: number };
  readonly destination: { readonly host: string; readonly port: number };
}

const SIGNATURE = Buffer.from([0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d, 0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a]);
/** Version 2, command PROXY. */
const VERSION_AND_COMMAND = 0x21;
const FAMILY = { 4: 0x10, 6: 0x20 } as const;
const TRANSPORT = { tcp: 1, udp: 2 } as const;
const LENGTH = { 4: 12, 6: 36 } as const;

/** What goes before a connection's first byte. */
export function proxyHeaderV1(ends: ProxiedEnds): Buffer {
  const { family, source, destination } = ofOneFamily(ends);
  return Buffer.from(
    `PROXY TCP${family} ${source} ${destination} ${ends.source.port} ${ends.destination.port}\r\n`,
    'latin1',
  );
}

/** What goes before a connection's first byte, or before each datagram. */
export function proxyHeaderV2(ends: ProxiedEnds, transport: 'tcp' | 'udp'): Buffer {
  const { family, source, destination } = ofOneFamily(ends);
  const header = Buffer.alloc(SIGNATURE.length + 4 + LENGTH[family]);
  SIGNATURE.copy(header);
  header[12] = VERSION_AND_COMMAND;
  header[13] = FAMILY[family] | TRANSPORT[transport];
  header.writeUInt16BE(LENGTH[family], 14);
  let at = 16;
  for (const host of [source, destination]) at += addressBytes(host, family).copy(header, at);
  header.writeUInt16BE(ends.source.port, at);
  header.writeUInt16BE(ends.destination.port, at + 2);
  return header;
}

/** `::ffff:10.0.0.1`, as a socket of both families tells IPv4, is told as what it is. */
export function plainAddress(host: string): string {
  const mapped = host.startsWith('::ffff:') ? host.slice(7) : host;
  return isIPv4(mapped) ? mapped : (host.split('%')[0] ?? host);
}

function ofOneFamily({ source, destination }: ProxiedEnds) {
  const [from, to] = [plainAddress(source.host), plainAddress(destination.host)];
  if (isIPv4(from) && isIPv4(to)) return { family: 4, source: from, destination: to } as const;
  const asIPv6 = (host: string) => (isIPv6(host) ? host : `::ffff:${host}`);
  return { family: 6, source: asIPv6(from), destination: asIPv6(to) } as const;
}

function addressBytes(host: string, family: 4 | 6): Buffer {
  if (family === 4) return Buffer.from(host.split('.').map(Number));
  const dotted = /^(.*:)(\d+)\.(\d+)\.(\d+)\.(\d+)$/.exec(host);
  const hex = (high: string | undefined, low: string | undefined) =>
    (Number(high) * 256 + Number(low)).toString(16);
  const text = dotted ? `${dotted[1]}${hex(dotted[2], dotted[3])}:${hex(dotted[4], dotted[5])}` : host;
  const [head = '', tail] = text.split('::');
  const groups = (part: string | undefined) => (part ? part.split(':') : []);
  const [left, right] = [groups(head), groups(tail)];
  const all = [...left, ...Array<string>(8 - left.length - right.length).fill('0'), ...right];
  const bytes = Buffer.alloc(16);
  all.forEach((group, index) => {
    bytes.writeUInt16BE(Number.parseInt(group, 16), index * 2);
  });
  return bytes;
}
