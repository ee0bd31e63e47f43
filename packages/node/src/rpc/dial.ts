/** Connecting to a node: TLS, and the proof that the other side is who it should be. */

import { connect as connectTcp } from 'node:net';
import { connect as connectTls, type SecureContext, type TLSSocket } from 'node:tls';
import type { Clock, ClusterId, NodeId } from '@skep/core';
import { NodeError } from '../errors.ts';
import { parseAddress } from './address.ts';
import { peerOf, refusalOf } from './caller.ts';

/** What is spoken on a connection, as agreed on in the handshake. */
export const PROTOCOL = { rpc: 'h2', raft: 'skep-raft/1' } as const;

/** Name in the TLS greeting. Who the other side is, its certificate says. */
export const SERVER_NAME = 'swarm-ca';

/** Whom to expect at the other end. */
export type Expected =
  /** Nobody in particular: only to fetch what can be proved otherwise. */
  | { readonly kind: 'anyone' }
  /** A manager of this cluster; undefined: of the one whose CA is trusted. */
  | { readonly kind: 'manager'; readonly clusterId: ClusterId | undefined; readonly nodeId?: NodeId };

/** How to connect. */
export interface DialOptions {
  /** `host:port`. */
  readonly address: string;
  /** Own certificate, if there is one yet, and the roots to trust. Asked for each connection anew. */
  readonly context: () => SecureContext;
  readonly expected: Expected;
  readonly clock: Clock;
  /** How long it may take, in ms. Default 5000. */
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
}

const DIAL_MS = 5_000;

/**
 * Connects, and checks who answers.
 *
 * @throws NodeError `UNREACHABLE`, `CERTIFICATE_…`, `WRONG_CLUSTER`, `WRONG_ROLE`, `WRONG_NODE`
 */
export function dial(options: DialOptions): Promise<TLSSocket> {
  const { address, context, expected, clock, timeoutMs = DIAL_MS, signal } = options;
  const { host, port } = parseAddress(address);
  return new Promise((resolve, reject) => {
    const socket = connectTls({
      socket: connectTcp({ host, port, noDelay: true, keepAlive: true }),
      secureContext: context(),
      servername: SERVER_NAME,
      ALPNProtocols: [PROTOCOL.rpc],
      rejectUnauthorized: expected.kind !== 'anyone',
      checkServerIdentity: () => undefined,
    });
    const end = (error: Error | undefined) => {
      cancelTimer();
      signal?.removeEventListener('abort', onAbort);
      socket.off('error', onError);
      socket.off('close', onClose);
      if (error === undefined) {
        resolve(socket);
        return;
      }
      socket.on('error', () => {});
      socket.destroy();
      reject(error);
    };
    const unreachable = (what: string, cause?: unknown) =>
      new NodeError('UNREACHABLE', `no node was reached at ${address}: ${what}`, cause);
    const onError = (error: Error) => end(dialError(error, unreachable));
    const onClose = () => end(unreachable('the connection was closed'));
    const onAbort = () => end(signal?.reason ?? new NodeError('CANCELLED', 'the caller has given up'));
    const cancelTimer = clock.setTimer(timeoutMs, () => end(unreachable(`no answer within ${timeoutMs} ms`)));
    socket.on('error', onError);
    socket.on('close', onClose);
    socket.once('secureConnect', () => {
      try {
        end(
          socket.alpnProtocol === PROTOCOL.rpc
            ? mismatch(socket, expected)
            : unreachable('it is no node of Skep'),
        );
      } catch (error) {
        end(error instanceof Error ? error : new Error(String(error)));
      }
    });
    if (signal?.aborted) onAbort();
    else signal?.addEventListener('abort', onAbort, { once: true });
  });
}

/** What is wrong with who answers, if anything. */
function mismatch(socket: TLSSocket, expected: Expected): NodeError | undefined {
  if (expected.kind === 'anyone') return undefined;
  const peer = peerOf(socket);
  if (peer.kind === 'stranger') return peer.refusal;
  const { nodeId, role, clusterId } = peer.identity;
  if (expected.clusterId !== undefined && clusterId !== expected.clusterId) {
    return new NodeError('WRONG_CLUSTER', `the node that answers belongs to cluster ${clusterId}`);
  }
  if (role !== 'manager') return new NodeError('WRONG_ROLE', `node ${nodeId} answers, and is no manager`);
  if (expected.nodeId !== undefined && nodeId !== expected.nodeId) {
    return new NodeError('WRONG_NODE', `node ${nodeId} answers where ${expected.nodeId} was wanted`);
  }
  return undefined;
}

function dialError(error: Error, unreachable: (what: string, cause: unknown) => NodeError): NodeError {
  const code = (error as { readonly code?: unknown }).code;
  const isOfCertificate = typeof code === 'string' && /CERT|UNABLE_TO|CRL|ISSUER|CHAIN/.test(code);
  if (isOfCertificate && !code.startsWith('ERR_SSL')) return refusalOf(code);
  return unreachable(typeof code === 'string' ? code : error.message, error);
}
