/** What a story is about: an object as people name it, and the ids that it has, or had. */

import { InvalidSpecError, NotFoundError } from '../errors.ts';
import { decodeTransaction } from '../events/codec.ts';
import type { ClusterEvent } from '../events/event.ts';
import { asId } from '../model/ids.ts';
import type { ObjectKind } from '../state/change.ts';
import type { ClusterState } from '../state/cluster-state.ts';
import { nameOfKey, objectKey } from './touched-keys.ts';

/**
 * An object, by id or name, also one that is gone; a node by id or hostname, a task by id. A name stands for every
 * object that had it, one after the other. `tasks`: those of the service, too.
 */
export type HistorySubject =
  | { readonly cluster: true }
  | { readonly service: string; readonly tasks?: boolean }
  | { readonly task: string }
  | { readonly node: string }
  | { readonly network: string }
  | { readonly secret: string }
  | { readonly config: string };

/** A subject with its kind and its reference apart. */
export interface Named {
  readonly kind: ObjectKind;
  /** Id or name. */
  readonly ref: string;
  /** The tasks of the service, too. */
  readonly tasks: boolean;
}

const KINDS = ['service', 'task', 'node', 'network', 'secret', 'config'] as const;

/** Takes a subject apart. @throws InvalidSpecError */
export function parseSubject(subject: HistorySubject): Named {
  const given: Readonly<Record<string, unknown>> = { ...subject };
  const names = Object.keys(given).filter((name) => name !== 'tasks' && given[name] !== undefined);
  const [name] = names;
  const refuse = (field: string, rule: string) => new InvalidSpecError([{ field, rule }]);
  const kind = name === 'cluster' ? name : KINDS.find((each) => each === name);
  if (names.length !== 1 || kind === undefined) {
    throw refuse('object', `must be one of cluster, ${KINDS.join(', ')}`);
  }
  const { tasks } = given;
  if (tasks !== undefined && (typeof tasks !== 'boolean' || kind !== 'service')) {
    throw refuse('object.tasks', 'must be true or false, and go with a service');
  }
  if (kind === 'cluster') {
    if (given[kind] !== true) throw refuse('object.cluster', 'must be true');
    return { kind, ref: 'cluster', tasks: false };
  }
  const ref = given[kind];
  if (typeof ref !== 'string' || ref === '')
    throw refuse(`object.${kind}`, 'must be an id or a name, as text');
  return { kind, ref, tasks: tasks === true };
}

/** The ids in a state that a subject means. */
export function idsIn(state: ClusterState, { kind, ref }: Named): string[] {
  switch (kind) {
    case 'cluster':
      return state.cluster ? [state.cluster.id] : [];
    case 'task':
      return state.task(asId(ref)) ? [ref] : [];
    case 'node':
      return [...state.nodes()]
        .filter(({ id, description }) => id === ref || description.hostname === ref)
        .map(({ id }) => id);
    default: {
      const id = state[kind](asId(ref))?.id ?? state.idByName(kind, ref);
      return id === undefined ? [] : [id];
    }
  }
}

/** The keys under which blocks mention a subject: as the id that it may be, and as the name. */
export function keysOf({ kind, ref }: Named): number[] {
  return kind === 'task' ? [objectKey(ref)] : [objectKey(ref), nameOfKey(kind, ref)];
}

/** What an event tells of the ids that a subject has. */
export type Mention =
  | { readonly says: 'this'; readonly id: string }
  /** An object of the kind changed, and the event does not tell its name. */
  | { readonly says: 'unnamed'; readonly id: string };

/** What the events of a record tell of a subject. */
export function mentionsIn(payload: Uint8Array, named: Named): Mention[] {
  return decodeTransaction(payload).events.flatMap((event) => mentionIn(event, named));
}

function mentionIn(event: ClusterEvent, { kind, ref }: Named): Mention[] {
  if (kind === 'task') {
    const isCreated = event.type === 'task.created' && event.rows.some(({ id }) => id === ref);
    return isCreated ? [{ says: 'this', id: ref }] : [];
  }
  if (!event.type.startsWith(`${kind}.`) || !('id' in event)) return [];
  const { id } = event;
  if (id === ref) return [{ says: 'this', id }];
  if (event.type === 'node.joined' || event.type === 'node.described') {
    return event.description.hostname === ref ? [{ says: 'this', id }] : [];
  }
  if ('spec' in event && 'name' in event.spec && event.spec.name !== undefined) {
    return event.spec.name.toLowerCase() === ref.toLowerCase() ? [{ says: 'this', id }] : [];
  }
  return [{ says: 'unnamed', id }];
}

/** No object of that kind was ever seen under this reference, as far as history goes back. */
export function unknownSubject({ kind, ref }: Named): NotFoundError {
  return new NotFoundError(kind, ref);
}
