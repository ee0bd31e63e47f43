/**
 * The story of an object: each of its changes in order, read from the blocks that mention it and from no other. One
 * state is made for it, from before its first change in the range; from there on only its own events are applied.
 */

import { HistoryPrunedError } from '../errors.ts';
import { decodeTransaction } from '../events/codec.ts';
import { asId } from '../model/ids.ts';
import type { ClusterState } from '../state/cluster-state.ts';
import { Needle } from './contains-text.ts';
import type { HistoryEvent } from './history-event.ts';
import type { HistoryRecord, HistoryStore, StoredBlock } from './history-store.ts';
import { nextKept, routeTo, segmentsBetween } from './kept-range.ts';
import { type Followed, PartialReplay, serviceOfCreated } from './partial-replay.ts';
import type { PastStates } from './past-states.ts';
import { idsIn, keysOf, mentionsIn, type Named, unknownSubject } from './subject.ts';
import { hasKey, objectKey, tasksKey } from './touched-keys.ts';

/** What a story is read from. */
export interface StoryParts {
  readonly store: HistoryStore;
  readonly states: PastStates;
  /** The present, which knows the names of what is there. */
  readonly present: ClusterState;
  /** Lets others have their turn, when it is time; throws when the reader gave up. */
  readonly pause: () => Promise<void>;
}

/** Indexes of the first and the last transaction that is told, both included. */
export interface Range {
  readonly from: number;
  readonly to: number;
}

/**
 * Tells a story.
 *
 * @param named - whose; undefined for everything that happened.
 * @throws NotFoundError when nothing kept mentions the object.
 */
export async function* tellStory(
  parts: StoryParts,
  named: Named | undefined,
  range: Range,
): AsyncGenerator<HistoryEvent, void, undefined> {
  const followed = named && (await followedOf(parts, named));
  const keys = followed && [...followed.keys];
  const needles = followed && needlesFor(followed);
  let replay: PartialReplay | undefined;
  let isYetToCome = false;
  let segmentEnd: number | undefined;
  for (const segment of segmentsBetween(parts.store, range.from - 1, range.to)) {
    if (segmentEnd !== undefined && segment.first > segmentEnd + 1) {
      yield { type: 'gap', after: segmentEnd, index: segment.first - 1 };
      replay = undefined;
      isYetToCome = false;
    }
    segmentEnd = segment.last;
    for (const block of await segment.blocks()) {
      if (block.last < range.from || block.first > range.to) continue;
      if (keys && !keys.some((key) => hasKey(block.keys, key))) continue;
      await parts.pause();
      for (const record of await parts.states.holding(block, needles)) {
        if (record.index < range.from || record.index > range.to) continue;
        await parts.pause();
        const transaction = decodeTransaction(record.payload);
        if (!replay && (!followed || concerns(transaction.events, followed, isYetToCome))) {
          const state = await stateBefore(parts, record);
          isYetToCome = followed !== undefined && isNotThere(state, followed, transaction.events);
          if (!isYetToCome) replay = new PartialReplay(state, followed);
        }
        if (replay) yield* replay.apply(transaction);
      }
    }
  }
}

interface FollowedByKey extends Followed {
  /** Keys of the blocks to read. */
  readonly keys: ReadonlySet<number>;
  /** The cluster itself is followed, whose events need not name it. */
  readonly ofCluster: boolean;
}

/**
 * What every record that is of these objects holds somewhere: one of their ids. Undefined where it need not: the
 * settings of the cluster change without one, and which tasks are of a service is not known before.
 */
function needlesFor({ ids, services, tasksOf, ofCluster }: FollowedByKey): Needle[] | undefined {
  if (ofCluster || tasksOf.size > 0) return undefined;
  return [...ids, ...services].filter((id) => id !== '').map((id) => new Needle(id));
}

type Events = ReturnType<typeof decodeTransaction>['events'];

/** Events of the cluster that do not name it. */
const CLUSTER_EVENTS: ReadonlySet<string> = new Set([
  'cluster.updated',
  'cluster.rebalancing',
  'cluster.rebalanced',
] satisfies Events[number]['type'][]);

/**
 * Whether a state is needed to go on: none is before an event that can be of these objects.
 *
 * @param isYetToCome - the service whose tasks are followed is not created yet, so no task is of it.
 */
function concerns(events: Events, followed: FollowedByKey, isYetToCome: boolean): boolean {
  const isFollowed = (id: string) => followed.ids.has(id) || followed.services.has(id);
  return events.some((event) => {
    // Of which service the tasks are that an event names, only the state knows.
    if (followed.tasksOf.size > 0 && event.type.startsWith('task.')) return !isYetToCome;
    if (CLUSTER_EVENTS.has(event.type)) return followed.ofCluster;
    if ('id' in event) return isFollowed(event.id);
    if ('ids' in event) return event.ids.some(isFollowed);
    if (event.type === 'task.assigned') return event.rows.some(({ tasks }) => tasks.some(isFollowed));
    if (event.type === 'node.attached') return event.rows.some(({ nodeId }) => isFollowed(nodeId));
    return 'rows' in event && event.rows.some(({ id }) => isFollowed(id));
  });
}

/**
 * Whether these events are of other services' tasks. A state from before its creation would be out of date by then:
 * its name, say, may be another's still.
 */
function isNotThere({ roots }: ClusterState, followed: FollowedByKey, events: Events): boolean {
  if (followed.tasksOf.size === 0 || concerns(events, followed, true)) return false;
  return ![...followed.tasksOf].some((id) => roots.services.ids.has(asId(id)));
}

async function stateBefore(
  { store, states, present }: StoryParts,
  { index }: HistoryRecord,
): Promise<ClusterState> {
  const before = index - 1;
  const route = routeTo(store, before);
  if (route) return states.at(before, route);
  throw new HistoryPrunedError(`what was before index ${index}`, nextKept(store, index) ?? present);
}

async function followedOf(parts: StoryParts, named: Named): Promise<FollowedByKey> {
  const ids = await idsOf(parts, named);
  if (ids.size === 0) throw unknownSubject(named);
  const services = new Set<string>();
  if (named.kind === 'task') services.add(await serviceOf(parts, named.ref));
  const tasksOf = named.tasks ? ids : new Set<string>();
  const keys = new Set([...ids, ...services].map(objectKey));
  for (const id of tasksOf) keys.add(tasksKey(id));
  return { ids, tasksOf, services, keys, ofCluster: named.kind === 'cluster' };
}

/** All ids that the subject has, or had as far as history goes back. */
async function idsOf(parts: StoryParts, named: Named): Promise<Set<string>> {
  const ids = new Set(idsIn(parts.present, named));
  const unnamed = new Map<string, number>();
  if (named.kind === 'cluster' || ids.has(named.ref)) return ids;
  for await (const block of mentioning(parts, keysOf(named))) {
    for (const { index, payload } of await parts.states.read(block)) {
      for (const { says, id } of mentionsIn(payload, named)) {
        if (says === 'this') ids.add(id);
        else if (!unnamed.has(id)) unnamed.set(id, index);
      }
      await parts.pause();
    }
    if (named.kind === 'task') break;
  }
  // Whoever was made before history begins, and is gone, has its name in a state alone.
  for (const [id, index] of unnamed) {
    if (ids.has(id)) continue;
    const state = await stateBefore(parts, { index, at: 0, payload: new Uint8Array() });
    if (idsIn(state, named).includes(id)) ids.add(id);
  }
  if (named.kind === 'task' && ids.size === 0) await findLostTask(parts, named, ids);
  return ids;
}

/** A task whose creation is forgotten stands in the state before the first event that mentions it. */
async function findLostTask(parts: StoryParts, named: Named, ids: Set<string>): Promise<void> {
  for await (const block of mentioning(parts, keysOf(named))) {
    const route = routeTo(parts.store, block.first - 1);
    if (route && (await parts.states.at(block.first - 1, route)).task(asId(named.ref))) ids.add(named.ref);
    return;
  }
}

async function serviceOf(parts: StoryParts, task: string): Promise<string> {
  const present = parts.present.task(asId(task));
  if (present) return present.serviceId;
  for await (const block of mentioning(parts, [objectKey(task)])) {
    for (const { payload } of await parts.states.read(block)) {
      for (const event of decodeTransaction(payload).events) {
        const serviceId = serviceOfCreated(event, task);
        if (serviceId !== undefined) return serviceId;
      }
    }
    const route = routeTo(parts.store, block.first - 1);
    const before = route && (await parts.states.at(block.first - 1, route)).task(asId(task));
    if (before) return before.serviceId;
  }
  return '';
}

async function* mentioning(
  { store }: StoryParts,
  keys: readonly number[],
): AsyncGenerator<StoredBlock, void, undefined> {
  for (const segment of store.segments) {
    for (const block of await segment.blocks()) {
      if (keys.some((key) => hasKey(block.keys, key))) yield block;
    }
  }
}
