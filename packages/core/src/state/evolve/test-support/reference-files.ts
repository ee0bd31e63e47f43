/** What events of secrets and configs mean, in plain objects. */

import { castDraft, type Draft } from 'immer';
import type { ClusterEvent } from '../../../events/event.ts';
import type { Config, Secret } from '../../../model/objects.ts';
import { type Touch, touched } from './reference-rows.ts';

type FileEvent = Extract<ClusterEvent, { readonly type: `secret.${string}` | `config.${string}` }>;

interface Files {
  readonly secrets: Record<string, Draft<Secret>>;
  readonly configs: Record<string, Draft<Config>>;
}

/** Applies one of them. */
export function applyToFiles(files: Files, event: FileEvent, touch: Touch): void {
  const meta = { ...touch, createdAt: touch.updatedAt };
  switch (event.type) {
    case 'secret.created': {
      const { id, spec, digest, sizeBytes } = event;
      files.secrets[id] = castDraft({ id, spec, revision: 1, digest, sizeBytes, older: [], ...meta });
      return;
    }
    case 'secret.updated':
      touched(files.secrets, event.id, touch).spec = castDraft(event.spec);
      return;
    case 'secret.rotated': {
      const row = touched(files.secrets, event.id, touch);
      row.older.push({ revision: row.revision, digest: row.digest });
      row.revision = event.revision;
      row.digest = event.digest;
      row.sizeBytes = event.sizeBytes;
      return;
    }
    case 'secret.pruned': {
      const row = touched(files.secrets, event.id, touch);
      row.older = row.older.filter(({ revision }) => !event.revisions.includes(revision));
      return;
    }
    case 'secret.removed':
      delete files.secrets[event.id];
      return;
    case 'config.created': {
      const { id, spec, data } = event;
      files.configs[id] = castDraft({ id, spec, revision: 1, data, older: [], ...meta });
      return;
    }
    case 'config.updated':
      touched(files.configs, event.id, touch).spec = castDraft(event.spec);
      return;
    case 'config.rotated': {
      const row = touched(files.configs, event.id, touch);
      row.older.push({ revision: row.revision, data: row.data });
      row.revision = event.revision;
      row.data = event.data;
      return;
    }
    case 'config.pruned': {
      const row = touched(files.configs, event.id, touch);
      row.older = row.older.filter(({ revision }) => !event.revisions.includes(revision));
      return;
    }
    case 'config.removed':
      delete files.configs[event.id];
  }
}
