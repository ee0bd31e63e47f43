/** Tasks that wait for a node and follow volumes: where those live, and who is to be told when that changes. */

import type { NodeId, TaskId } from '../../model/ids.ts';
import type { Task } from '../../model/objects.ts';
import { mountsPinned, pinnedVolumes } from '../../model/pinned-volumes.ts';
import type { ClusterState } from '../../state/cluster-state.ts';

const NOWHERE: readonly NodeId[] = [];

/** The nodes on which the volumes of a task live that it follows. More than one: it can be nowhere. */
export function homesOf(task: Task, state: ClusterState): readonly NodeId[] {
  if (!mountsPinned(task.spec)) return NOWHERE;
  const names = pinnedVolumes(task, state.service(task.serviceId)?.spec);
  return [...new Set(names.flatMap((name) => state.volume(name)?.nodeId ?? []))].sort();
}

/** Followers by volume. */
export class VolumeFollowers {
  readonly #byTask = new Map<
    TaskId,
    { readonly names: readonly string[]; readonly homes: readonly NodeId[] }
  >();
  readonly #byName = new Map<string, Set<TaskId>>();

  /** A task begins to wait. @returns where its volumes live */
  begin(task: Task, state: ClusterState): readonly NodeId[] {
    if (!mountsPinned(task.spec)) return NOWHERE;
    const homes = homesOf(task, state);
    const names = pinnedVolumes(task, state.service(task.serviceId)?.spec);
    this.#byTask.set(task.id, { names, homes });
    for (const name of names) {
      const followers = this.#byName.get(name) ?? new Set<TaskId>();
      this.#byName.set(name, followers.add(task.id));
    }
    return homes;
  }

  /** A task waits no more. @returns where its volumes lived when it began */
  end(id: TaskId): readonly NodeId[] {
    const known = this.#byTask.get(id);
    if (!known) return NOWHERE;
    this.#byTask.delete(id);
    for (const name of known.names) {
      const followers = this.#byName.get(name);
      followers?.delete(id);
      if (followers?.size === 0) this.#byName.delete(name);
    }
    return known.homes;
  }

  /** Tasks that wait and follow one of these volumes. */
  of(volumes: readonly string[]): Set<TaskId> {
    return new Set(volumes.flatMap((name) => [...(this.#byName.get(name) ?? [])]));
  }
}
