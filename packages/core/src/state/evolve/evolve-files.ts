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
    case 'network.removed':
      draft.deleteNetwork(event.id);
      return;
    case 'secret.created':
      draft.putSecret({
        id: event.id,
        ...fresh,
        spec: event.spec,
        digest: event.digest,
        sizeBytes: event.sizeBytes,
      });
      return;
    case 'secret.updated':
      draft.putSecret({ ...existing(draft.secret(event.id), event.id), ...touched, spec: event.spec });
      return;
    case 'secret.removed':
      draft.deleteSecret(event.id);
      return;
    case 'config.created':
      draft.putConfig({ id: event.id, ...fresh, spec: event.spec, data: new Uint8Array(event.data) });
      return;
    case 'config.updated':
      draft.putConfig({ ...existing(draft.config(event.id), event.id), ...touched, spec: event.spec });
      return;
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

function existing<Row>(row: Row | undefined, id: string): Row {
  if (row === undefined) throw new InconsistentEventError(`object ${id} does not exist`);
  return row;
}
