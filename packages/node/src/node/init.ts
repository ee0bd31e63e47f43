/** The first node of a new cluster. */

import type { ClusterId, NodeId } from '@skep/core';
import { newId } from '@skep/core/member';
import { NodeError } from '../errors.ts';
import { parseAddress } from '../rpc/address.ts';
import {
  createRootAuthority,
  issueCertificate,
  NODE_VALIDITY_MS,
  requestCertificate,
} from '../security/certificate-authority.ts';
import { Credentials } from '../security/credentials.ts';
import { newTokenSecret } from '../security/join-token.ts';
import type { TrustRecord } from '../security/trust-record.ts';
import { StateDirectory } from '../state-directory/state-directory.ts';
import { addressesOf, hostOf, type NodeOptions } from './options.ts';
import { SkepNode } from './skep-node.ts';

/**
 * Makes a cluster: its CA, its join tokens, and this node as its first manager.
 *
 * @throws NodeError `ALREADY_A_NODE` if the directory holds a node; `INVALID_OPTION`, `STATE_LOCKED`. Nothing is left
 *   behind then.
 */
export async function init(options: NodeOptions): Promise<SkepNode> {
  const host = hostOf(options);
  const addresses = addressesOf(options);
  const directory = await StateDirectory.open(options.dir);
  try {
    await makeEmpty(directory);
    const clusterId = newId<ClusterId>(host.random);
    const nodeId = newId<NodeId>(host.random);
    const now = host.clock.now();
    const root = await createRootAuthority(clusterId, now);
    const { privateKey, request } = await requestCertificate();
    const identity = { nodeId, role: 'manager', clusterId } as const;
    const chain = await issueCertificate(root, { request, identity, now, validityMs: NODE_VALIDITY_MS });
    const texts = { privateKey, chain, roots: root.certificate };
    await directory.writeCredentials(texts);
    const node = new SkepNode({
      ...{ directory, credentials: new Credentials(texts), host, unlockKey: undefined },
      file: { version: 1, clusterId, nodeId, ...addresses },
      managers: [addresses.advertise],
    });
    try {
      await node.open({ isFirst: true, ...(options.signal ? { signal: options.signal } : {}) });
      const { cluster, trust } = node.manager;
      const { host: address } = parseAddress(addresses.advertise);
      await cluster.nodes.join({ id: nodeId, hostname: addresses.hostname, address, role: 'manager' });
      const record: TrustRecord = {
        version: 1,
        root,
        tokens: { manager: newTokenSecret(host.random), worker: newTokenSecret(host.random) },
        nodeValidityMs: NODE_VALIDITY_MS,
        renewBefore: 0,
      };
      await trust.create(record);
      await node.establish();
      return node;
    } catch (error) {
      await node.abandon();
      throw error;
    }
  } catch (error) {
    await directory.close();
    throw error;
  }
}

/** A directory for a new node. @throws NodeError `ALREADY_A_NODE` */
export async function makeEmpty(directory: StateDirectory): Promise<void> {
  const present = await directory.readNode();
  if (present !== undefined) {
    const message = `${directory.path} holds node ${present.nodeId} of cluster ${present.clusterId}: leave first`;
    throw new NodeError('ALREADY_A_NODE', message);
  }
  await directory.removeNode();
}
