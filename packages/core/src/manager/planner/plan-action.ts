/** What can be planned, and the events that each comes to: the same that the command, or the loss, would bring. */

import { InvalidSpecError, type SpecIssue } from '../../errors.ts';
import type { ClusterEvent } from '../../events/event.ts';
import { parseServiceSpec } from '../../model/parse-spec.ts';
import type { ServiceSpecInput } from '../../model/service-spec.ts';
import type { OptionNames } from '../../runtime/check-options.ts';
import type { ClusterState } from '../../state/cluster-state.ts';
import { findNode, findService } from '../api/find.ts';
import { updateNode } from '../api/node-commands.ts';
import { applyService, type ServiceRequest, scaledSpec, updateService } from '../api/service-commands.ts';
import type { DecideContext } from '../control-loop.ts';

/** Something that could be done to a cluster, or happen to it. Made by {@link drain}, {@link lose}, {@link scale}. */
export type PlanAction =
  | { readonly kind: 'drain'; readonly node: string }
  | { readonly kind: 'lose'; readonly node: string }
  | { readonly kind: 'scale'; readonly service: string; readonly replicas: number };

/** What `cluster.plan` takes: a service's spec, to be applied, or an action. */
export type Plannable = ServiceSpecInput | PlanAction;

/** A node is drained: its tasks move elsewhere. As `nodes.update(node, { availability: 'drain' })`. */
export function drain(node: string): PlanAction {
  return { kind: 'drain', node };
}

/** A node goes down and does not come back. */
export function lose(node: string): PlanAction {
  return { kind: 'lose', node };
}

/** A service gets another number of replicas. As `services.scale(service, replicas)`. */
export function scale(service: string, replicas: number): PlanAction {
  return { kind: 'scale', service, replicas };
}

/** True for what {@link drain}, {@link lose} and {@link scale} make. */
export function isPlanAction(plannable: Plannable): plannable is PlanAction {
  return typeof plannable === 'object' && plannable !== null && 'kind' in plannable;
}

/** What an action comes to. */
export interface PlannedEvents {
  /** Empty: nothing would happen. */
  readonly events: readonly ClusterEvent[];
  readonly warnings: readonly SpecIssue[];
}

/**
 * The events of what is to be planned.
 *
 * @param requestOf - takes a spec as the API does, its credentials sealed.
 * @throws what the command would throw: NotFoundError, InvalidSpecError, PreconditionError
 */
export function eventsOf(
  plannable: Plannable,
  state: ClusterState,
  requestOf: (input: ServiceSpecInput) => ServiceRequest,
  context: DecideContext,
): PlannedEvents {
  if (!isPlanAction(plannable)) {
    const { events, result } = applyService(state, requestOf(plannable), context);
    return { events, warnings: result.warnings };
  }
  checkFields(plannable);
  switch (plannable.kind) {
    case 'drain': {
      const node = findNode(state, plannable.node);
      const { events } = updateNode(node, { ...node.spec, availability: 'drain' });
      return { events: node.spec.availability === 'drain' ? [] : events, warnings: [] };
    }
    case 'lose': {
      const node = findNode(state, plannable.node);
      const event = { type: 'node.status', state: 'down', message: 'lost', ids: [node.id] } as const;
      return { events: node.status.state === 'down' ? [] : [event], warnings: [] };
    }
    case 'scale': {
      const service = findService(state, plannable.service);
      const spec = parseServiceSpec(scaledSpec(service.spec, plannable.replicas));
      const { events, result } = updateService(state, service, { spec });
      return { events, warnings: result.warnings };
    }
  }
}

const FIELDS: { readonly [K in PlanAction['kind']]: OptionNames<Extract<PlanAction, { readonly kind: K }>> } =
  {
    drain: { kind: true, node: true },
    lose: { kind: true, node: true },
    scale: { kind: true, service: true, replicas: true },
  };

/** Callers without types may send anything. @throws InvalidSpecError naming each field that an action does not have */
function checkFields(action: PlanAction): void {
  if (!Object.hasOwn(FIELDS, action.kind)) {
    throw new InvalidSpecError([{ field: 'kind', rule: "must be 'drain', 'lose' or 'scale'" }]);
  }
  const fields = FIELDS[action.kind];
  const unknown = Object.keys(action).filter((field) => !Object.hasOwn(fields, field));
  if (unknown.length === 0) return;
  const rule = `unknown field: an action to ${action.kind} has ${Object.keys(fields).join(', ')}`;
  throw new InvalidSpecError(unknown.map((field) => ({ field, rule })));
}
