/**
 * A rotation of the root, from its beginning to its end. While it lasts, both roots are trusted and the new one signs;
 * nodes renew their certificates and say so; once every node in the list has, the old root is dropped. The leader keeps
 * who has reported in memory: a new leader asks anew, since nodes go on reporting for as long as a rotation lasts.
 */

import type { ClusterId, NodeId } from '@skep/core';
import { NodeError } from '../errors.ts';
import { createRootAuthority, crossSign } from '../security/certificate-authority.ts';
import { identityOf, parseSubject } from '../security/identity.ts';
import { newTokenSecret } from '../security/join-token.ts';
import { checkAuthority, type OwnAuthority } from '../security/own-authority.ts';
import { leafOf } from '../security/pem.ts';
import { beginRotation, endRotation } from '../security/trust-record.ts';
import type { ManagerContext } from './manager-context.ts';
import type { TrustKeeper } from './trust-keeper.ts';

/**
 * Begins a rotation of the root; one that is under way is replaced.
 *
 * @param given - the root to go over to. Default: a new one of our own.
 * @throws NodeError `CA_REFUSED` if it breaks a rule, or has the key of the root that is there.
 */
export async function beginRootRotation(
  trust: TrustKeeper,
  clusterId: ClusterId,
  now: number,
  given?: OwnAuthority,
): Promise<void> {
  const next = given === undefined ? await createRootAuthority(clusterId, now) : checkAuthority(given, now);
  await trust.update(async (record) => {
    if (isSameKey(record.root.certificate, next.certificate)) {
      throw new NodeError('CA_REFUSED', 'ca.privateKey must be another than that of the present root');
    }
    return beginRotation(record, next, await crossSign(record.root, next, now));
  });
}

function isSameKey(one: string, other: string): boolean {
  return leafOf(one).publicKey.equals(leafOf(other).publicKey);
}

/** Sees a rotation through. */
export class RootRotation {
  readonly #context: ManagerContext;
  readonly #stops: (() => void)[];
  /** Nodes whose certificate is of the root that is on its way in. */
  readonly #arrived = new Set<NodeId>();
  /** The root that they were counted for. */
  #countedFor = '';
  #isEnding = false;

  constructor(context: ManagerContext) {
    this.#context = context;
    const nodes = context.cluster.watch({ kind: 'node' }).subscribe(() => this.#check());
    this.#stops = [() => nodes.unsubscribe(), context.trust.onChange(() => this.#check())];
  }

  /** A node says which certificate it uses. @throws NodeError `WRONG_NODE` if it is not its own. */
  report(node: NodeId, chain: string): void {
    const leaf = leafOf(chain);
    if (identityOf(parseSubject(leaf.subject)).nodeId !== node) {
      throw new NodeError('WRONG_NODE', 'the certificate is that of another node');
    }
    const { rotation } = this.#context.trust.record;
    if (rotation === undefined || !leaf.verify(leafOf(rotation.certificate).publicKey)) return;
    this.#countFor(rotation.certificate);
    this.#arrived.add(node);
    this.#check();
  }

  close(): void {
    for (const stop of this.#stops) stop();
  }

  #countFor(root: string): void {
    if (this.#countedFor === root) return;
    this.#countedFor = root;
    this.#arrived.clear();
  }

  #check(): void {
    const { cluster, raft, trust, random, logger } = this.#context;
    if (!raft.status.isServing || this.#isEnding || this.#arrived.size === 0) return;
    const { rotation } = trust.record;
    if (rotation === undefined) return;
    this.#countFor(rotation.certificate);
    if (this.#arrived.size < cluster.nodes.count) return;
    if (cluster.nodes.list().some(({ id }) => !this.#arrived.has(id))) return;
    this.#isEnding = true;
    const end = trust.update((record) => {
      // Another one was begun meanwhile: its nodes have yet to come.
      if (record.rotation?.certificate !== rotation.certificate) return record;
      return endRotation(record, () => newTokenSecret(random));
    });
    end
      .then(() => logger.info({}, 'the old root is dropped: every node has gone over to the new one'))
      .catch((error: unknown) => logger.warn({ err: error }, 'could not drop the old root yet'))
      .finally(() => {
        this.#isEnding = false;
      });
  }
}
