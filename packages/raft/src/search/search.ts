/**
 * Breadth-first search over the shipped core: every order of events within bounds, as far as two orders don't lead to the
 * same state. The first violation that is found is one of the shortest there are.
 */

import { RaftError } from '../core/errors.ts';
import { Violation } from '../simulator/violation.ts';
import type { SearchBounds } from './bounds.ts';
import type { SearchEvent } from './event.ts';
import { SearchWorld } from './search-world.ts';
import { hashOf } from './state-hash.ts';

/** How a search ended. */
export interface SearchReport {
  /** `exhausted`: nothing more can happen within the budgets. `bounded`: the depth or the number of states was reached. */
  readonly kind: 'exhausted' | 'bounded' | 'violation';
  /** Different states that were seen. */
  readonly states: number;
  /** Events that were tried. */
  readonly events: number;
  /** All states at this distance from the start were seen. */
  readonly depth: number;
  /** The states that were new at each distance. */
  readonly widths: readonly number[];
  readonly violation?: string;
  /** The events that led to the violation, from the start on. */
  readonly trace?: readonly string[];
}

/** A state, by the way to it: an event after another state. */
interface Step {
  readonly before: Step | undefined;
  readonly event: SearchEvent;
}

/** Searches within bounds. `onLevel` is told after each distance from the start. */
export function search(
  bounds: SearchBounds,
  onLevel?: (depth: number, states: number) => void,
): SearchReport {
  const broken = violationOf(() => begin(bounds));
  if (broken !== undefined) {
    return { kind: 'violation', states: 0, events: 0, depth: 0, widths: [], violation: broken, trace: [] };
  }
  const seen = new Set<number>([hashOf(begin(bounds).key)]);
  const widths = [1];
  let events = 0;
  let frontier: (Step | undefined)[] = [undefined];
  for (let depth = 1; depth <= bounds.depth; depth++) {
    const next: Step[] = [];
    for (const before of frontier) {
      let world = replay(bounds, before);
      const { possible } = world;
      for (const [at, event] of possible.entries()) {
        if (at > 0) world = replay(bounds, before);
        events++;
        const step = { before, event };
        const current = world;
        const violation = violationOf(() => current.perform(event));
        if (violation !== undefined) {
          const trace = narrate(bounds, step);
          return { kind: 'violation', states: seen.size, events, depth: depth - 1, widths, violation, trace };
        }
        const hash = hashOf(world.key);
        if (seen.has(hash)) continue;
        seen.add(hash);
        next.push(step);
        if (seen.size >= bounds.statesMax)
          return { kind: 'bounded', states: seen.size, events, depth: depth - 1, widths };
      }
    }
    widths.push(next.length);
    onLevel?.(depth, seen.size);
    if (next.length === 0) return { kind: 'exhausted', states: seen.size, events, depth, widths };
    frontier = next;
  }
  return { kind: 'bounded', states: seen.size, events, depth: bounds.depth, widths };
}

/** Which rule is broken by what happens, if one is. */
function violationOf(happen: () => void): string | undefined {
  try {
    happen();
    return undefined;
  } catch (error) {
    if (error instanceof Violation || error instanceof RaftError) return error.message;
    throw error;
  }
}

function stepsTo(step: Step | undefined): SearchEvent[] {
  const events: SearchEvent[] = [];
  for (let at = step; at !== undefined; at = at.before) events.push(at.event);
  return events.reverse();
}

/** A state is reached again by the same events: the core has no copy of itself to give. */
function replay(bounds: SearchBounds, step: Step | undefined): SearchWorld {
  const world = begin(bounds);
  for (const event of stepsTo(step)) world.perform(event);
  return world;
}

function narrate(bounds: SearchBounds, step: Step): string[] {
  const world = begin(bounds);
  return stepsTo(step).map((event) => {
    const text = world.describe(event);
    violationOf(() => world.perform(event));
    return text;
  });
}

function begin({ start, budgets }: SearchBounds): SearchWorld {
  const isLed = start !== 'nothing';
  const isJoint = start === 'joint';
  const timeouts = budgets.timeouts + (isLed ? 1 : 0);
  const changes = budgets.changes + (isJoint ? 1 : 0);
  const world = new SearchWorld({ ...budgets, timeouts, changes }, isJoint);
  if (isLed) {
    world.perform({ kind: 'campaign', at: 'n1' });
    world.settle();
  }
  if (isJoint) world.perform({ kind: 'change', at: 'n1' });
  return world;
}
