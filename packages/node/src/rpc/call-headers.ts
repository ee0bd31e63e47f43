/** What stands in the head of a call: the method, how long it may take, and for whom a manager passes it on. */

import type { IncomingHttpHeaders, OutgoingHttpHeaders } from 'node:http2';
import type { NodeId } from '@skep/core';
import { NodeError } from '../errors.ts';
import type { NodeIdentity } from '../security/identity.ts';

/** A head, read. */
export interface CallHead {
  readonly method: string;
  /** Milliseconds that the caller is willing to wait from now; undefined: as long as it takes. */
  readonly timeoutMs: number | undefined;
  /** The caller that a manager has passed the call on for. */
  readonly onBehalfOf: NodeIdentity | undefined;
}

const PREFIX = '/skep/1/';
const TIMEOUT = 'skep-timeout-ms';
const CALLER = 'skep-caller';

/** The head of a call. */
export function callHeaders(head: CallHead): OutgoingHttpHeaders {
  const { method, timeoutMs, onBehalfOf } = head;
  return {
    ':method': 'POST',
    ':path': `${PREFIX}${method}`,
    ...(timeoutMs === undefined ? {} : { [TIMEOUT]: String(Math.max(1, Math.ceil(timeoutMs))) }),
    ...(onBehalfOf === undefined ? {} : { [CALLER]: formatCaller(onBehalfOf) }),
  };
}

/** @throws NodeError `MALFORMED`, `UNKNOWN_METHOD` */
export function readCallHead(headers: IncomingHttpHeaders): CallHead {
  const path = headers[':path'] ?? '';
  if (!path.startsWith(PREFIX)) throw new NodeError('UNKNOWN_METHOD', 'there is no such method');
  const timeout = headers[TIMEOUT];
  const timeoutMs = timeout === undefined ? undefined : Number(timeout);
  if (timeoutMs !== undefined && !(timeoutMs > 0)) throw new NodeError('MALFORMED', `${TIMEOUT} is no time`);
  const caller = headers[CALLER];
  return {
    method: path.slice(PREFIX.length),
    timeoutMs,
    onBehalfOf: caller === undefined ? undefined : parseCaller(String(caller)),
  };
}

function formatCaller({ nodeId, role, clusterId }: NodeIdentity): string {
  return [nodeId, role, clusterId].map(encodeURIComponent).join(',');
}

function parseCaller(text: string): NodeIdentity {
  const [nodeId, role, clusterId, ...rest] = text.split(',').map(decodeURIComponent);
  if (!nodeId || !clusterId || (role !== 'manager' && role !== 'worker') || rest.length > 0) {
    throw new NodeError('MALFORMED', `${CALLER} names no node`);
  }
  return { nodeId: nodeId as NodeId, role, clusterId: clusterId as NodeIdentity['clusterId'] };
}
