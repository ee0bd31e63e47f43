/** What a TCP transport is made of, with the defaults. */

import type { Socket } from 'node:net';
import type { PeerCertificate, SecureContext } from 'node:tls';
import type { MemberId, Random } from '../../core/types.ts';
import type { RaftClock, RaftLogger, RaftMetrics } from '../../node/ports.ts';
import { noRaftMetrics, silentRaftLogger } from '../../node/ports.ts';
import { TransportError } from '../../transport/errors.ts';
import { FRAME_BYTES_MAX } from '../../transport/frame.ts';
import type { ShippingLimits } from '../../transport/snapshot-sender.ts';

/** Mutual TLS. */
export interface TcpTransportTls {
  /** Key, certificate and authorities. Asked for each connection anew, so that they can be renewed while running. */
  readonly context: () => SecureContext;
  /**
   * Is this the certificate of that member? Asked on both sides, after the certificate was verified against the
   * authorities of the context.
   */
  readonly isMember: (member: MemberId, certificate: PeerCertificate) => boolean;
  /** Name of the protocol to agree on in the handshake (ALPN), where a port is shared. Default: none. */
  readonly protocol?: string;
}

/** A port on which more than Raft is spoken. Whoever owns it hands over the connections that are Raft's. */
export interface SharedPort {
  /** Where it listens, as `host:port`. */
  readonly address: string;
  /** Takes what connects from now on, its handshake done and its certificate verified. Returns the way to stop. */
  accept(handler: (socket: Socket) => void): () => void;
}

/** What a TCP transport is made of. */
export interface TcpTransportOptions {
  readonly id: MemberId;
  /** Names the cluster: members of another are refused. */
  readonly cluster: string;
  /** Where to listen, port 0 takes a free one; or a port that somebody else listens on. */
  readonly listen: { readonly host: string; readonly port: number } | SharedPort;
  /** Where others reach this member, as `host:port`, if that is not where it listens. */
  readonly advertised?: string;
  /** Without it nothing is encrypted and nobody is identified: for one machine or a network of one's own only. */
  readonly tls?: TcpTransportTls;
  readonly clock: RaftClock;
  readonly random: Random;
  /** The longest frame, in bytes. Default 8 MiB. */
  readonly frameBytesMax?: number;
  /** Bytes that may wait for one member; what comes on top is dropped, as a network may. Default 32 MiB. */
  readonly sendBytesMax?: number;
  /** First wait before a lost connection is dialled again, in ms; doubled each time, with jitter. Default 50. */
  readonly retryMsMin?: number;
  /** Longest such wait. Default 2000. */
  readonly retryMsMax?: number;
  /** How long a connection and its greeting may take, in ms. Default 5000. */
  readonly greetingTimeoutMs?: number;
  /** A connection without a sign of life from the other side for so long is given up, in ms. Default 5000. */
  readonly silenceMs?: number;
  readonly shipping?: Partial<ShippingLimits>;
  readonly logger?: RaftLogger;
  readonly metrics?: RaftMetrics;
}

/** The same with nothing left out but what may be missing. */
export type TcpTransportSettings = Required<Omit<TcpTransportOptions, 'advertised' | 'tls' | 'shipping'>> &
  Pick<TcpTransportOptions, 'advertised' | 'tls' | 'shipping'>;

const NUMBERS = {
  frameBytesMax: FRAME_BYTES_MAX,
  sendBytesMax: 32 * 1024 * 1024,
  retryMsMin: 50,
  retryMsMax: 2000,
  greetingTimeoutMs: 5000,
  silenceMs: 5000,
} as const;

/** Fills in the defaults. @throws TransportError `invalid-argument`, naming the option and its rule. */
export function withTcpDefaults(options: TcpTransportOptions): TcpTransportSettings {
  const rule = (holds: boolean, message: string) => {
    if (!holds) throw new TransportError('invalid-argument', message);
  };
  const settings = { logger: silentRaftLogger, metrics: noRaftMetrics, ...NUMBERS, ...options };
  rule(options.id !== '', 'id must not be empty');
  rule(options.cluster !== '', 'cluster must not be empty');
  for (const name of Object.keys(NUMBERS) as (keyof typeof NUMBERS)[]) {
    rule(Number.isFinite(settings[name]) && settings[name] > 0, `${name} must be greater than 0`);
  }
  rule(settings.retryMsMin <= settings.retryMsMax, 'retryMsMin must not be greater than retryMsMax');
  if (options.advertised !== undefined) parseAddress(options.advertised);
  return settings;
}

/** `host:port`, an IPv6 host in brackets. @throws TransportError `invalid-argument`. */
export function parseAddress(address: string): { readonly host: string; readonly port: number } {
  const [, bracketed, plain, digits] = /^(?:\[([^\]]+)\]|([^:[\]]+)):(\d{1,5})$/.exec(address) ?? [];
  const host = bracketed ?? plain;
  const port = Number(digits);
  if (host === undefined || !Number.isInteger(port) || port < 1 || port > 65_535) {
    throw new TransportError(
      'invalid-argument',
      `an address must be host:port, not ${JSON.stringify(address)}`,
    );
  }
  return { host, port };
}

/** The other way round. */
export function formatAddress(host: string, port: number): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}
