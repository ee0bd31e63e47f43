/** What events of networks, secrets, configs and the vault do. */

import type { ClusterEvent } from '../../events/event.ts';
import { InconsistentEventError, type StateDraft } from '../state-draft.ts';
import type { Stamp } from './stamp.ts';

type FileEvent = Extract<
  ClusterEvent,
  { readonly type: `network.${string}` | `secret.${string}` | `config.${string}` | `vault.${string}` }
>;

export function evolveFiles(draft: StateDraft, event: FileEvent, stamp: Stamp): void {
  const touched = { version: stamp.index, updatedAt: stamp.at };
  const fresh = { ...touched, createdAt: stamp.at };
  switch (event.type) {
    case 'network.created':
      draft.putNetwork({ id: event.id, ...fresh, spec: event.spec });
      return;
    case 'network.updated':
      draft.putNetwork({ ...existing(draft.network(event.id), event.id), ...touched, spec: event.spec });
      return;
    case 'network.allocated': {
      const { allocationError: _, ...network } = existing(draft.network(event.id), event.id);
      draft.putNetwork({ ...network, ...touched, allocation: event.allocation });
      return;
    }
    case 'network.unallocated':
      draft.putNetwork({
        ...existing(draft.network(event.id), event.id),
        ...touched,
        allocationError: event.error,
      });
      return;
    case 'network.removed':
      draft.deleteNetwork(event.id);
      return;
    case 'secret.created':
      draft.putSecret({
        id: event.id,
        ...fresh,
        spec: event.spec,
        revision: 1,
        digest: event.digest,
        sizeBytes: event.sizeBytes,
        older: [],
      });
      return;
    case 'secret.updated':
      draft.putSecret({ ...existing(draft.secret(event.id), event.id), ...touched, spec: event.spec });
      return;
    case 'secret.rotated': {
      const { revision, digest, sizeBytes } = event;
      const before = existing(draft.secret(event.id), event.id);
      const older = [...before.older, { revision: before.revision, digest: before.digest }];
      draft.putSecret({ ...before, ...touched, revision, digest, sizeBytes, older });
      return;
    }
    case 'secret.pruned': {
      const before = existing(draft.secret(event.id), event.id);
      draft.putSecret({ ...before, ...touched, older: without(before.older, event.revisions) });
      return;
    }
    case 'secret.removed':
      draft.deleteSecret(event.id);
      return;
    case 'config.created':
      draft.putConfig({
        id: event.id,
        ...fresh,
        spec: event.spec,
        revision: 1,
        data: new Uint8Array(event.data),
        older: [],
      });
      return;
    case 'config.updated':
      draft.putConfig({ ...existing(draft.config(event.id), event.id), ...touched, spec: event.spec });
      return;
    case 'config.rotated': {
      const before = existing(draft.config(event.id), event.id);
      const older = [...before.older, { revision: before.revision, data: before.data }];
      const { revision } = event;
      draft.putConfig({ ...before, ...touched, revision, data: new Uint8Array(event.data), older });
      return;
    }
    case 'config.pruned': {
      const before = existing(draft.config(event.id), event.id);
      draft.putConfig({ ...before, ...touched, older: without(before.older, event.revisions) });
      return;
    }
    case 'config.removed':
      draft.deleteConfig(event.id);
      return;
    case 'vault.stored':
      // On the leader these are the caller's own bytes, which the caller may go on to change.
      draft.storeInVault(event.digest, new Uint8Array(event.data));
      return;
    case 'vault.removed':
      for (const digest of event.digests) draft.removeFromVault(digest);
  }
}

function without<T extends { readonly revision: number }>(
  older: readonly T[],
  revisions: readonly number[],
): T[] {
  return older.filter(({ revision }) => !revisions.includes(revision));
}

function existing<Row>(row: Row | undefined, id: string): Row {
  if (row === undefined) throw new InconsistentEventError(`object ${id} does not exist`);
  return row;
}
