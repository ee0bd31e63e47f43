/** A node that was here before, taken up again. */

import { isNodeError, NodeError } from '../errors.ts';
import { Credentials } from '../security/credentials.ts';
import { parseUnlockKey } from '../security/unlock-key.ts';
import { StateDirectory } from '../state-directory/state-directory.ts';
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
 *   `STATE_LOCKED`, `STATE_UNREADABLE`, `NODE_REMOVED`, `CERTIFICATE_EXPIRED`
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
    const { listen, advertise, hostname } = { ...file, ...definedOf(options) };
    const addresses = addressesOf({ listen, advertise, hostname });
    const node = new RunningNode({
      ...{ directory, credentials, host, unlockKey, driver: options.driver, history: options.history },
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

function definedOf({ listen, advertise, hostname }: NodeOptions): Partial<NodeOptions> {
  const given = Object.entries({ listen, advertise, hostname }).filter(([, value]) => value !== undefined);
  return Object.fromEntries(given);
}
