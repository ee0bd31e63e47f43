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
import { Credentials } from '../security/credentials.ts';
import { newTokenSecret } from '../security/join-token.ts';
import { decodeTrust, signerOf, type TrustRecord, trustedRoots } from '../security/trust-record.ts';
import { parseUnlockKey } from '../security/unlock-key.ts';
import { StateDirectory } from '../state-directory/state-directory.ts';
import { readBackup } from './backup-file.ts';
import type { ManagerOrigin } from './manager-part.ts';
import { addressesOf, hostOf, type NodeHost, type NodeOptions } from './options.ts';
import { RunningNode } from './running-node.ts';
import { SkepNode } from './skep-node.ts';

/** Options of {@link init}. */
export interface InitOptions extends NodeOptions {
  /** A backup to begin with, and its key. The cluster goes on from it, with this node as its only manager. */
  readonly restore?: { readonly path: string; readonly key: string };
}

/**
 * Makes a cluster: its CA, its join tokens, and this node as its first manager. From a backup, it makes that cluster
 * again; managers of before have to be stopped, and are workers if they come back.
 *
 * @throws NodeError `ALREADY_A_NODE` if the directory holds a node; `INVALID_OPTION`, `STATE_LOCKED`; of the backup
 *   `UNLOCK_KEY_REFUSED`, `STATE_UNREADABLE`. Nothing is left behind then.
 */
export async function init(options: InitOptions): Promise<SkepNode> {
  const host = hostOf(options);
  const addresses = addressesOf(options);
  const directory = await StateDirectory.open(options.dir);
  try {
    await makeEmpty(directory);
    const { clusterId, record, origin } = await beginningOf(options, host);
    const nodeId = newId<NodeId>(host.random);
    const { privateKey, request } = await requestCertificate();
    const chain = await issueCertificate(signerOf(record), {
      key: await readCertificateRequest(request),
      identity: { nodeId, role: 'manager', clusterId },
      now: host.clock.now(),
      validityMs: record.nodeValidityMs,
    });
    const texts = { privateKey, chain, roots: trustedRoots(record) };
    await directory.writeCredentials(texts);
    const node = new RunningNode({
      ...{
        directory,
        credentials: new Credentials(texts),
        host,
        unlockKey: undefined,
        driver: options.driver,
        history: options.history,
      },
      file: { version: 1, clusterId, nodeId, ...addresses },
      managers: [addresses.advertise],
    });
    try {
      await node.open({ origin, ...(options.signal ? { signal: options.signal } : {}) });
      const { cluster, trust } = node.manager;
      const { host: address } = parseAddress(addresses.advertise);
      await cluster.nodes.join({ id: nodeId, hostname: addresses.hostname, address, role: 'manager' });
      if (origin.kind === 'first') await trust.create(record);
      else await node.manager.demoteOthers();
      await node.establish();
      return new SkepNode(node);
    } catch (error) {
      await node.abandon();
      throw error;
    }
  } catch (error) {
    await directory.close();
    throw error;
  }
}

interface Beginning {
  readonly clusterId: ClusterId;
  readonly record: TrustRecord;
  readonly origin: ManagerOrigin;
}

async function beginningOf({ restore }: InitOptions, { random, clock }: NodeHost): Promise<Beginning> {
  if (restore !== undefined) {
    const { head, chunks } = await readBackup(restore.path, parseUnlockKey(restore.key));
    const { clusterId, trust, index, term } = head;
    const origin = { kind: 'backup', snapshot: { index, term, chunks } } as const;
    return { clusterId, record: decodeTrust(trust), origin };
  }
  const clusterId = newId<ClusterId>(random);
  const record: TrustRecord = {
    version: 1,
    root: await createRootAuthority(clusterId, clock.now()),
    tokens: { manager: newTokenSecret(random), worker: newTokenSecret(random) },
    nodeValidityMs: NODE_VALIDITY_MS,
    renewBefore: 0,
  };
  return { clusterId, record, origin: { kind: 'first' } };
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
