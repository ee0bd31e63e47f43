/** A node that was here before, taken up again. */

import { isNodeError, NodeError } from '../errors.ts';
import { checkValidity } from '../rpc/caller.ts';
import { Credentials } from '../security/credentials.ts';
import { parseUnlockKey } from '../security/unlock-key.ts';
import { type NodeFile, StateDirectory } from '../state-directory/state-directory.ts';
import type { ManagerOrigin } from './manager-part.ts';
import { addressesOf, hostOf, type NodeOptions } from './options.ts';
import { RunningNode } from './running-node.ts';
import { SkepNode } from './skep-node.ts';

/** Options of {@link start}. */
export interface StartOptions extends NodeOptions {
  /**
   * The way out when most managers are lost for good: this manager goes on alone. What only the lost ones had is gone;
   * what was never acknowledged may be there. They must not start again with what is on their disks; if one does all
   * the same, it becomes a worker.
   */
  readonly forceNewCluster?: boolean;
}

/**
 * Starts the node that a directory holds. Addresses that are given take the place of those it had; the other nodes
 * are told.
 *
 * @throws NodeError `NOT_A_NODE` if the directory holds none; `LOCKED` if it needs the unlock key; `UNLOCK_KEY_REFUSED`,
 *   `STATE_LOCKED`, `STATE_UNREADABLE`, `NODE_REMOVED`, `CERTIFICATE_EXPIRED`, `CERTIFICATE_NOT_YET_VALID`
 */
export async function start(options: StartOptions): Promise<SkepNode> {
  const host = hostOf(options);
  const directory = await StateDirectory.open(options.dir);
  try {
    const file = await directory.readNode();
    if (file === undefined)
      throw new NodeError('NOT_A_NODE', `${directory.path} holds no node: init or join first`);
    const unlockKey = options.unlockKey === undefined ? undefined : parseUnlockKey(options.unlockKey);
    const credentials = new Credentials(
      await directory.readCredentials(unlockKey === undefined ? [] : [unlockKey]),
    );
    const { validity, identity } = credentials;
    // A manager may be the one that issues the next one; nobody issues one to a worker that can't prove itself.
    if (identity.role === 'worker' && host.clock.now() > validity.to) {
      const message = `the certificate of node ${file.nodeId} has expired: forget it, and join again`;
      throw new NodeError('CERTIFICATE_EXPIRED', message);
    }
    // It is not valid yet either where this machine's clock is far behind.
    if (identity.role === 'worker') checkValidity(validity, host.clock.now());
    const addresses = addressesOf(addressOptions(file, options));
    const node = new RunningNode({
      ...{ directory, credentials, host, unlockKey, driver: options.driver, history: options.history },
      dataPlane: options.dataPlane,
      file: { ...file, ...addresses },
      managers: await directory.readManagers(),
    });
    const isForced = options.forceNewCluster ?? false;
    try {
      await opened(node, {
        ...(options.signal === undefined ? {} : { signal: options.signal }),
        ...(isForced ? { origin: { kind: 'alone' } } : {}),
      });
      if (isForced) await node.manager.demoteOthers();
      await node.establish();
      return new SkepNode(node);
    } catch (error) {
      await node.close();
      throw error;
    }
  } catch (error) {
    await directory.close();
    throw error;
  }
}

/** Starts as what the certificate says, or as what the managers say if it has another role by now. */
async function opened(
  node: RunningNode,
  how: { readonly signal?: AbortSignal; readonly origin?: ManagerOrigin },
): Promise<void> {
  try {
    await node.open(how);
  } catch (error) {
    if (!isNodeError(error) || error.code !== 'WRONG_ROLE') throw error;
    // It was demoted while it was away.
    await node.renewCertificate();
    await node.open(how);
  }
}

/** What is given takes the place of what was; what was only derived is derived anew. */
function addressOptions(
  file: NodeFile,
  { listen = file.listen, advertise, hostname = file.hostname }: NodeOptions,
): Pick<NodeOptions, 'listen' | 'advertise' | 'hostname'> {
  if (advertise !== undefined) return { listen, advertise, hostname };
  const isDerived = file.advertise === file.listen && listen !== file.listen;
  return isDerived ? { listen, hostname } : { listen, advertise: file.advertise, hostname };
}

/**
 * Makes a directory hold no node any more, without asking the cluster: for a node whose certificate has expired, that is
 * locked and whose unlock key is lost, or that was removed. Its tasks, if any still run, are nobody's then.
 *
 * @throws NodeError `STATE_LOCKED` while the node runs.
 */
export async function forget(dir: string): Promise<void> {
  const directory = await StateDirectory.open(dir);
  try {
    await directory.removeNode();
  } finally {
    await directory.close();
  }
}
