/** The CA at work: roots for whoever asks, certificates for tokens, and new certificates for nodes. */

import { createHash } from 'node:crypto';
import type { NodeId } from '@skep/core';
import { NodeError } from '../errors.ts';
import type { RpcServer } from '../rpc/server.ts';
import {
  issueCertificate,
  type RequestedKey,
  readCertificateRequest,
} from '../security/certificate-authority.ts';
import type { NodeRole } from '../security/identity.ts';
import { roleOfSecret, signerOf, trustedRoots } from '../security/trust-record.ts';
import { type ManagerContext, managerAddresses } from './manager-context.ts';
import { fetchRoots, type Issued, type JoinRequest, joinCluster, renewCertificate } from './methods.ts';
import { roleOf } from './news-desk.ts';

/** Answers what concerns certificates. */
export function serveCertificates(server: RpcServer, context: ManagerContext): void {
  const { trust, clock } = context;
  server.serve(fetchRoots, async () => ({ roots: trustedRoots(trust.record), now: clock.now() }));
  server.serve(joinCluster, (request) => admit(context, request));
  server.serve(renewCertificate, ({ request }, { caller }) =>
    renewFor(context, caller.identity.nodeId, request),
  );
}

/** A node's next certificate, of the role that it is to have. @throws NodeError `NODE_REMOVED`, `REQUEST_REFUSED` */
export async function renewFor(context: ManagerContext, nodeId: NodeId, request: string): Promise<Issued> {
  const role = roleOf(context, nodeId);
  if (role === undefined) throw new NodeError('NODE_REMOVED', `node ${nodeId} is not part of the cluster`);
  return issue(context, await readCertificateRequest(request), nodeId, role);
}

/** Makes whoever has a token a node. Asked again with the same request, it gives the same node. */
async function admit(context: ManagerContext, joining: JoinRequest): Promise<Issued> {
  const { trust, cluster, logger } = context;
  const { secret, request, ...node } = joining;
  const role = roleOfSecret(trust.record, secret);
  if (role === undefined) {
    const message =
      'the join token is not, or is no longer, one of this cluster: a valid one is necessary to join';
    throw new NodeError('TOKEN_REFUSED', message);
  }
  const key = await readCertificateRequest(request);
  const commandId = `join-${createHash('sha256').update(request).digest('hex')}`;
  const nodeId = await cluster.nodes.join({ ...node, role }, { commandId });
  logger.info({ node: nodeId, role, hostname: node.hostname }, 'a node joins');
  return issue(context, key, nodeId, role);
}

async function issue(
  context: ManagerContext,
  key: RequestedKey,
  nodeId: NodeId,
  role: NodeRole,
): Promise<Issued> {
  const { trust, clusterId, clock } = context;
  const { record } = trust;
  const identity = { nodeId, role, clusterId };
  const chain = await issueCertificate(signerOf(record), {
    key,
    identity,
    // Where the clock of who asked for the renewal was ahead, it would not count as renewed.
    now: Math.max(clock.now(), record.renewBefore),
    validityMs: record.nodeValidityMs,
  });
  return { ...identity, chain, roots: trustedRoots(record), managers: [...managerAddresses(context)] };
}
