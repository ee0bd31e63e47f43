/** A node that comes to be, in a directory of its own: whole, or not at all. */

import { NodeError } from '../errors.ts';
import { Credentials, type CredentialTexts } from '../security/credentials.ts';
import { type NodeFile, StateDirectory } from '../state-directory/state-directory.ts';
import { hostOf, type NodeOptions } from './options.ts';
import { RunningNode } from './running-node.ts';
import { SkepNode } from './skep-node.ts';

/** Who the node is, and how it begins. */
export interface NewIdentity {
  readonly file: NodeFile;
  readonly texts: CredentialTexts;
  /** Addresses of managers. */
  readonly managers: readonly string[];
  /** Writes down what else it needs at its next start, beside its credentials. */
  readonly keep?: () => Promise<void>;
  /** Makes it what it is to be: opened, and on the list of nodes. */
  readonly become: (node: RunningNode) => Promise<void>;
}

/**
 * Makes a node. If anything fails, what was begun is taken back, and the directory is as it was.
 *
 * @param prepare - finds out who the node is to be.
 * @throws NodeError `ALREADY_A_NODE`, `STATE_LOCKED`, `INVALID_OPTION`; what `prepare` and `become` throw; DriverError.
 */
export async function newNode(
  options: NodeOptions,
  prepare: (directory: StateDirectory) => Promise<NewIdentity>,
): Promise<SkepNode> {
  const directory = await StateDirectory.open(options.dir);
  try {
    await makeEmpty(directory);
    const { file, texts, managers, keep, become } = await prepare(directory);
    await Promise.all([directory.writeCredentials(texts), keep?.()]);
    const node = new RunningNode({
      ...{ directory, file, managers, unlockKey: undefined },
      ...{ driver: options.driver, history: options.history, dataPlane: options.dataPlane },
      credentials: new Credentials(texts),
      host: hostOf(options),
    });
    try {
      await become(node);
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

/** @throws NodeError `ALREADY_A_NODE` */
async function makeEmpty(directory: StateDirectory): Promise<void> {
  const present = await directory.readNode();
  if (present !== undefined) {
    const message = `${directory.path} holds node ${present.nodeId} of cluster ${present.clusterId}: leave first`;
    throw new NodeError('ALREADY_A_NODE', message);
  }
  await directory.removeNode();
}
