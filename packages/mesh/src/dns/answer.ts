/** Pure: the answer to a question, as RFC 1035 has it. The wire format is the library's. */

import { isIPv4, isIPv6 } from 'node:net';
import packet, { type Answer, type DecodedPacket, type Question } from 'dns-packet';
import type { Asker } from './asker.ts';
import type { NameTable } from './name-table.ts';

/** Response codes of RFC 1035. */
export const RCODE = { none: 0, formatError: 1, serverFailure: 2, noName: 3, notImplemented: 4, refused: 5 };

/** Nobody may keep an answer: by the next question it may be another one. */
const TTL = 0;
/** Most that a datagram carries where the asker says nothing (RFC 1035), and at most (DNS Flag Day 2020). */
const UDP_BYTES = 512;
const UDP_BYTES_MAX = 1_232;

/** What is known about a question. */
export type Finding =
  | { readonly kind: 'answers'; readonly answers: readonly Answer[] }
  | { readonly kind: 'code'; readonly code: number }
  /** None of ours: others know. */
  | { readonly kind: 'outside' };

/** @param turn which of several addresses comes first; each question has another one */
export function findAnswer(
  { name, type, class: kind = 'IN' }: Question,
  names: NameTable,
  { scope, mayAskOutside }: Asker,
  turn: number,
): Finding {
  if (kind !== 'IN') return { kind: 'code', code: RCODE.refused };
  const wanted = name.endsWith('.') ? name.slice(0, -1) : name;
  const pointed = addressOfPointer(wanted);
  if (pointed !== undefined) {
    const data = names.nameOf(pointed, scope);
    if (data === undefined) return outside(mayAskOutside);
    const isAsked = type === 'PTR' || isAny(type);
    return { kind: 'answers', answers: isAsked ? [{ type: 'PTR', name, ttl: TTL, data }] : [] };
  }
  const addresses = names.addressesOf(wanted, scope);
  if (addresses === undefined) {
    const isOurs = !wanted.includes('.') || wanted.toLowerCase().startsWith('tasks.');
    return isOurs ? { kind: 'code', code: RCODE.noName } : outside(mayAskOutside);
  }
  // A name that is there, asked for what it has not, is answered with nothing: "no such name" would go for IPv4, too.
  const answers = rotated(addresses, turn).flatMap((data): Answer[] => {
    if (isIPv4(data)) return type === 'A' || isAny(type) ? [{ type: 'A', name, ttl: TTL, data }] : [];
    return type === 'AAAA' || isAny(type) ? [{ type: 'AAAA', name, ttl: TTL, data }] : [];
  });
  return { kind: 'answers', answers };
}

/** A question, if the packet is one; else what to answer all the same. `undefined`: nothing, since it is no question. */
export function readQuestion(
  bytes: Buffer,
): { readonly query: DecodedPacket; readonly question: Question } | { readonly refusal: Buffer } | undefined {
  // Answering an answer could go on for ever.
  if (bytes.length < 12 || ((bytes[2] ?? 0) & 0x80) !== 0) return undefined;
  const refuse = (code: number) => ({
    refusal: packet.encode({ type: 'response', id: bytes.readUInt16BE(0), flags: code }),
  });
  // Four bits between the flag of an answer and the rest: 0 is a query.
  if (((bytes[2] ?? 0) & 0x78) !== 0) return refuse(RCODE.notImplemented);
  if (bytes.readUInt16BE(4) !== 1) return refuse(RCODE.formatError);
  try {
    const query = packet.decode(bytes);
    const [question] = query.questions ?? [];
    return question ? { query, question } : refuse(RCODE.formatError);
  } catch {
    return refuse(RCODE.formatError);
  }
}

/** What goes back. Over UDP, what is too long says so, and is asked for again over TCP. */
export function encodeAnswer(
  query: DecodedPacket,
  { code, answers = [] }: { readonly code: number; readonly answers?: readonly Answer[] },
  transport: 'udp' | 'tcp',
): Buffer {
  const opt = query.additionals?.find((record) => record.type === 'OPT');
  const asked = opt && 'udpPayloadSize' in opt ? opt.udpPayloadSize : 0;
  const most = Math.min(UDP_BYTES_MAX, Math.max(UDP_BYTES, asked));
  const flags =
    packet.AUTHORITATIVE_ANSWER |
    packet.RECURSION_AVAILABLE |
    ((query.flags ?? 0) & packet.RECURSION_DESIRED) |
    code;
  const own = {
    type: 'response',
    ...(query.id !== undefined && { id: query.id }),
    questions: query.questions ?? [],
    additionals: opt
      ? [
          {
            type: 'OPT' as const,
            name: '.' as const,
            udpPayloadSize: UDP_BYTES_MAX,
            extendedRcode: 0,
            ednsVersion: 0,
            flags: 0,
            flag_do: false,
            options: [],
          },
        ]
      : [],
  } as const;
  const whole = packet.encode({ ...own, flags, answers: [...answers] });
  if (transport === 'tcp' || whole.length <= most) return whole;
  return packet.encode({ ...own, flags: flags | packet.TRUNCATED_RESPONSE });
}

function outside(mayAskOutside: boolean): Finding {
  return mayAskOutside ? { kind: 'outside' } : { kind: 'code', code: RCODE.noName };
}

function isAny(type: string): boolean {
  return type === 'ANY' || type === 'UNKNOWN_255';
}

function rotated<T>(items: readonly T[], turn: number): readonly T[] {
  const at = items.length === 0 ? 0 : turn % items.length;
  return [...items.slice(at), ...items.slice(0, at)];
}

/** `5.1.0.10.in-addr.arpa` (RFC 1035) or the nibbles of `ip6.arpa` (RFC 3596) as the address. */
function addressOfPointer(name: string): string | undefined {
  const [, v4] = /^((?:\d{1,3}\.){3}\d{1,3})\.in-addr\.arpa$/i.exec(name) ?? [];
  if (v4 !== undefined) return v4.split('.').reverse().join('.');
  const [, v6] = /^((?:[0-9a-f]\.){31}[0-9a-f])\.ip6\.arpa$/i.exec(name) ?? [];
  if (v6 === undefined) return undefined;
  const groups = v6.split('.').reverse().join('').match(/.{4}/g) ?? [];
  const text = groups.join(':');
  // In the form that addresses are told in: the shortest.
  return isIPv6(text) ? new URL(`http://[${text}]/`).hostname.slice(1, -1) : undefined;
}
