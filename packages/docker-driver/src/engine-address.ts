/** Where an engine listens, from the text that Docker's users write: `unix:///var/run/docker.sock`. */

import { DriverError } from '@skep/core/driver';

/** Certificates for an engine behind TLS, as PEM. */
export interface EngineTls {
  readonly ca: string | Uint8Array;
  readonly cert: string | Uint8Array;
  readonly key: string | Uint8Array;
}

/** Where an engine listens. */
export type EngineAddress =
  | { readonly kind: 'unix'; readonly socketPath: string }
  | { readonly kind: 'tcp'; readonly host: string; readonly port: number; readonly tls?: EngineTls };

/** Where engines listen unless told otherwise. */
export const DEFAULT_ENGINE = 'unix:///var/run/docker.sock';

/**
 * Reads an address.
 *
 * @throws DriverError naming the forms that there are.
 */
export function parseEngineAddress(text: string, tls?: EngineTls): EngineAddress {
  const socketPath = /^unix:\/\/(\/.+)$/.exec(text)?.[1];
  if (socketPath !== undefined) return { kind: 'unix', socketPath };
  const [, host, port] = /^(?:tcp|https?):\/\/([^/:]+|\[[0-9a-fA-F:]+\])(?::(\d{1,5}))?\/?$/.exec(text) ?? [];
  if (host === undefined) {
    throw new DriverError(`engine: must be unix:///path or tcp://host:port, not '${text}'`);
  }
  const number = port === undefined ? (tls === undefined ? 2375 : 2376) : Number(port);
  return { kind: 'tcp', host, port: number, ...(tls !== undefined && { tls }) };
}
