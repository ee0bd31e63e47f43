/** Places tasks that were made for one node each: there, or nowhere. */

import type { TaskId } from '../../model/ids.ts';
import type { Task } from '../../model/objects.ts';
import type { PlacementFinding } from '../../model/placement.ts';
import type { ClusterState } from '../../state/cluster-state.ts';
import type { DecisionDraft } from './decision-draft.ts';
import { explainPreassigned, NODE_GONE, sameExplanation } from './explanation.ts';
import type { Filter } from './filters.ts';
import { namesFor } from './names-for.ts';
import type { PlacementIndex } from './placement-index.ts';
import type { PlacementOverlay } from './placement-overlay.ts';
import { hostPortsOf, type Requirements } from './requirements.ts';
import { groupKey, type ServiceEntry } from './service-entry.ts';
import { FIT, type Verdict } from './verdicts.ts';

/** Tasks of one kind that are each made for one node. */
interface Kind {
  readonly service: ServiceEntry;
  readonly specVersion: number;
  readonly requirements: Requirements;
  readonly filter: Filter;
  /** How many of them have got their node. */
  placed: number;
  /** By verdict, what they are told. */
  readonly explanations: Map<Verdict, PlacementFinding>;
}

/** What placing one task came to. */
export type PlacedPreassigned = 'placed' | 'waits' | 'room-is-made';

/** Places such tasks in one decision. */
export class PreassignedPlacer {
  readonly #state: ClusterState;
  readonly #index: PlacementIndex;
  readonly #overlay: PlacementOverlay;
  readonly #draft: DecisionDraft;
  readonly #filterOf: (service: ServiceEntry, requirements: Requirements) => Filter;
  readonly #makeRoom: (
    task: Task,
    service: ServiceEntry,
    requirements: Requirements,
    slot: number,
  ) => boolean;
  readonly #kinds = new Map<Requirements, Kind>();

  constructor(parts: {
    readonly state: ClusterState;
    readonly index: PlacementIndex;
    readonly overlay: PlacementOverlay;
    readonly draft: DecisionDraft;
    readonly filterOf: (service: ServiceEntry, requirements: Requirements) => Filter;
    /** Sees to it that others leave the node. @returns whether they do */
    readonly makeRoom: (
      task: Task,
      service: ServiceEntry,
      requirements: Requirements,
      slot: number,
    ) => boolean;
  }) {
    this.#state = parts.state;
    this.#index = parts.index;
    this.#overlay = parts.overlay;
    this.#draft = parts.draft;
    this.#filterOf = parts.filterOf;
    this.#makeRoom = parts.makeRoom;
  }

  /** Those to be tried of services with a priority from `least` up to but without `below`, higher ones first. */
  *dirty(least: number, below: number): Generator<TaskId, undefined, undefined> {
    const { waiting, priorities, services } = this.#index;
    const { preassigned } = waiting;
    if (!priorities.differ) {
      if (priorities.lowest < below) yield* preassigned.dirty;
      return;
    }
    const priorityOf = (id: TaskId) => {
      const task = this.#state.task(id);
      return (task && services.get(task.serviceId)?.priority) ?? 0;
    };
    const ids = [...preassigned.dirty].map((id) => ({ id, priority: priorityOf(id) }));
    ids.sort((a, b) => b.priority - a.priority);
    for (const { id, priority } of ids) if (priority >= least && priority < below) yield id;
  }

  /** Places one, or tells why it has no place. */
  place(id: TaskId): PlacedPreassigned {
    const index = this.#index;
    const task = this.#state.task(id);
    const service = task && index.services.get(task.serviceId);
    if (!task || !service || task.nodeId === undefined) return 'waits';
    const slot = index.nodes.slotOf(task.nodeId);
    const kind = this.#kindOf(task, service);
    const { requirements } = kind;
    const verdict = slot === -1 ? FIT : kind.filter(slot);
    if (slot !== -1 && verdict === FIT) {
      const names = namesFor(requirements, index, this.#overlay, slot);
      this.#overlay.take(slot, service, requirements.needs, requirements.hostPorts, names);
      this.#draft.assign(slot, task.nodeId, id, names);
      kind.placed += 1;
      return 'placed';
    }
    index.waiting.preassigned.dirty.delete(id);
    if (slot !== -1 && this.#makeRoom(task, service, requirements, slot)) return 'room-is-made';
    const explanation = slot === -1 ? NODE_GONE : this.#explanation(kind, verdict);
    if (!sameExplanation(task.explanation, explanation)) this.#draft.explain(id, explanation);
    return 'waits';
  }

  /** Tells of those that were placed. */
  tell(): void {
    for (const { service, specVersion, placed } of this.#kinds.values()) {
      if (placed === 0) continue;
      this.#draft.choose({
        serviceId: service.id,
        specVersion,
        placed,
        nodes: 1,
        rejected: [],
        candidates: [],
      });
    }
  }

  #kindOf(task: Task, service: ServiceEntry): Kind {
    const key = groupKey(task.specVersion, hostPortsOf(task.ports));
    const requirements = this.#index.requirementsOf(service, key, task, this.#state);
    const known = this.#kinds.get(requirements);
    if (known) return known;
    const kind: Kind = {
      service,
      specVersion: task.specVersion,
      requirements,
      filter: this.#filterOf(service, requirements),
      placed: 0,
      explanations: new Map(),
    };
    this.#kinds.set(requirements, kind);
    return kind;
  }

  #explanation({ explanations, requirements }: Kind, verdict: Verdict): PlacementFinding {
    const known = explanations.get(verdict) ?? explainPreassigned(verdict, requirements.causes);
    explanations.set(verdict, known);
    return known;
  }
}
