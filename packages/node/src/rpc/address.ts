/** Addresses as people write them: `host:port`, an IPv6 host in brackets. */

import { NodeError } from '../errors.ts';

/** Where something listens. */
export interface HostAndPort {
  readonly host: string;
  readonly port: number;
}

/** Swarm mode's port for managers, for addresses without one. */
export const DEFAULT_PORT = 2377;

/** What is not to be shown, or asked of a name server, when it stands where an address should. */
const SECRET = /SWM(TKN|KEY)-/;

/** @throws NodeError `INVALID_OPTION`, naming `field` and the rule. */
export function parseAddress(address: string, field = 'address', defaultPort = DEFAULT_PORT): HostAndPort {
  const [, bracketed, plain, digits] = /^(?:\[([^\]\s]+)\]|([^:[\]\s]+))(?::(\d{1,5}))?$/.exec(address) ?? [];
  const host = bracketed ?? plain;
  const port = digits === undefined ? defaultPort : Number(digits);
  if (host === undefined || port > 65_535 || SECRET.test(address)) {
    const shown = SECRET.test(address) ? 'a token or a key' : JSON.stringify(address);
    throw new NodeError('INVALID_OPTION', `${field} must be host:port, not ${shown}`);
  }
  return { host, port };
}

/** The other way round. */
export function formatAddress({ host, port }: HostAndPort): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}

/** A host that stands for all addresses of a machine, and so names none. */
export function isUnspecified(host: string): boolean {
  return host === '0.0.0.0' || host === '::' || host === '';
}
