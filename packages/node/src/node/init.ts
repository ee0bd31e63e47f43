/** The first node of a new cluster. */

import type { ClusterId, NodeId } from '@skep/core';
import { newId } from '@skep/core/member';
import { NodeError } from '../errors.ts';
import { parseAddress } from '../rpc/address.ts';
import {
  createRootAuthority,
  issueCertificate,
  NODE_VALIDITY_MS,
  readCertificateRequest,
  requestCertificate,
} from '../security/certificate-authority.ts';
import { newTokenSecret } from '../security/join-token.ts';
import { checkAuthority, type OwnAuthority } from '../security/own-authority.ts';
import { decodeTrust, signerOf, type TrustRecord, trustedRoots } from '../security/trust-record.ts';
import { parseUnlockKey } from '../security/unlock-key.ts';
import { readBackup } from './backup-file.ts';
import type { ManagerOrigin } from './manager-part.ts';
import { newNode } from './new-node.ts';
import { addressesOf, defaultAvailability, hostOf, type NodeHost, type NodeOptions } from './options.ts';
import type { SkepNode } from './skep-node.ts';

/** Options of {@link init}. */
export interface InitOptions extends NodeOptions {
  /** A backup to begin with, and its key. The cluster goes on from it, with this node as its only manager. */
  readonly restore?: { readonly path: string; readonly key: string };
  /**
   * The root of the cluster's CA, in place of a new one: a certificate that signs itself and has a year or more to go,
   * with its key, which the managers keep in the sealed log from then on. What else the same root has signed is no node,
   * unless its subject is that of a node of this cluster.
   */
  readonly ca?: OwnAuthority;
}

/**
 * Makes a cluster: its CA, its join tokens, and this node as its first manager. From a backup, it makes that cluster
 * again; managers of before have to be stopped, and are workers if they come back.
 *
 * @throws NodeError `ALREADY_A_NODE` if the directory holds a node; `INVALID_OPTION`, `STATE_LOCKED`, `CA_REFUSED`; of
 *   the backup `UNLOCK_KEY_REFUSED`, `STATE_UNREADABLE`. Nothing is left behind then.
 */
export async function init(options: InitOptions): Promise<SkepNode> {
  const host = hostOf(options);
  const addresses = addressesOf(options);
  return newNode(options, async () => {
    const { clusterId, record, origin } = await beginningOf(options, host);
    const nodeId = newId<NodeId>(host.random);
    const { privateKey, request } = await requestCertificate();
    const chain = await issueCertificate(signerOf(record), {
      key: await readCertificateRequest(request),
      identity: { nodeId, role: 'manager', clusterId },
      now: host.clock.now(),
      validityMs: record.nodeValidityMs,
    });
    return {
      file: { version: 1, clusterId, nodeId, ...addresses },
      texts: { privateKey, chain, roots: trustedRoots(record) },
      managers: [addresses.advertise],
      become: async (node) => {
        await node.open({ origin, ...(options.signal ? { signal: options.signal } : {}) });
        const { cluster, trust } = node.manager;
        const { host: address } = parseAddress(addresses.advertise);
        await cluster.nodes.join({
          id: nodeId,
          hostname: addresses.hostname,
          address,
          role: 'manager',
          availability: defaultAvailability(options),
        });
        if (origin.kind === 'first') await trust.create(record);
        else await node.manager.demoteOthers();
      },
    };
  });
}

interface Beginning {
  readonly clusterId: ClusterId;
  readonly record: TrustRecord;
  readonly origin: ManagerOrigin;
}

async function beginningOf({ restore, ca }: InitOptions, { random, clock }: NodeHost): Promise<Beginning> {
  if (restore !== undefined) {
    if (ca !== undefined) throw new NodeError('INVALID_OPTION', 'ca must not be given together with restore');
    const { head, chunks } = await readBackup(restore.path, parseUnlockKey(restore.key));
    const { clusterId, trust, index, term } = head;
    const origin = { kind: 'backup', snapshot: { index, term, chunks } } as const;
    return { clusterId, record: decodeTrust(trust), origin };
  }
  const clusterId = newId<ClusterId>(random);
  const record: TrustRecord = {
    version: 1,
    root: ca ? checkAuthority(ca, clock.now()) : await createRootAuthority(clusterId, clock.now()),
    tokens: { manager: newTokenSecret(random), worker: newTokenSecret(random) },
    nodeValidityMs: NODE_VALIDITY_MS,
    renewBefore: 0,
  };
  return { clusterId, record, origin: { kind: 'first' } };
}
