/**
 * A rehearsal: what the control loops would make of a state and an event, played through on the state alone until
 * nothing moves any more. The loops are the real ones, in the order in which a leader runs them; agents are ideal
 * ones. Nothing is written anywhere, since states are immutable and the loops are the rehearsal's own.
 *
 * A generator, so that whoever drives it may let others in between any two pieces of work.
 */

import type { Actor, ClusterEvent } from '../../events/event.ts';
import type { TaskId } from '../../model/ids.ts';
import type { Random } from '../../runtime/random.ts';
import type { ChangeSet } from '../../state/change.ts';
import type { ClusterState } from '../../state/cluster-state.ts';
import { evolve } from '../../state/evolve/evolve.ts';
import type { ControlLoop } from '../control-loop.ts';
import { IdealAgents } from './ideal-agents.ts';

/** What a rehearsal starts from. */
export interface RehearsalParts {
  readonly state: ClusterState;
  /** New ones: they are begun here. */
  readonly loops: readonly ControlLoop[];
  /** What is to happen; empty: only what is under way. */
  readonly events: readonly ClusterEvent[];
  /** The time at which all of it happens; milliseconds since 1970. */
  readonly at: number;
  readonly random: Random;
  /** Decisions after which it is broken off. */
  readonly decisionsMax: number;
}

/** How it ended. */
export interface Rehearsed {
  readonly state: ClusterState;
  /** Tasks that were made or changed on the way, in that order. */
  readonly touched: ReadonlySet<TaskId>;
  /** Nothing moves any more. False: it was broken off. */
  readonly settled: boolean;
}

const USER: Actor = { kind: 'user' };

/** Plays it through. @yields after each piece of work: a few milliseconds at most for what one transaction holds */
export function* rehearse(parts: RehearsalParts): Generator<undefined, Rehearsed, undefined> {
  const stage = new Stage(parts);
  yield* stage.begin();
  if (parts.events.length > 0) yield* stage.commit(parts.events, USER);
  let decisions = 0;
  for (;;) {
    for (let quiet = 0, turn = 0; quiet < parts.loops.length; turn++) {
      if (++decisions > parts.decisionsMax) return stage.end(false);
      const loop = parts.loops[turn % parts.loops.length] as ControlLoop;
      quiet = (yield* stage.turn(loop)) ? 0 : quiet + 1;
    }
    const report = stage.report();
    if (!report) return stage.end(true);
    yield* stage.commit([report], USER);
  }
}

class Stage {
  readonly #parts: RehearsalParts;
  readonly #agents = new IdealAgents();
  readonly #touched = new Set<TaskId>();
  #state: ClusterState;

  constructor(parts: RehearsalParts) {
    this.#parts = parts;
    this.#state = parts.state;
  }

  *begin(): Generator<undefined, undefined, undefined> {
    yield* this.#agents.begin(this.#state);
    for (const loop of this.#parts.loops) {
      loop.begin(this.#state);
      yield;
    }
  }

  /** One decision of a loop. Answers whether it led to something, or there is more. */
  *turn(loop: ControlLoop): Generator<undefined, boolean, undefined> {
    const { at, random } = this.#parts;
    const { events, more } = loop.decide(this.#state, { at, random, waits: 'over' });
    yield;
    if (events.length > 0) yield* this.commit(events, { kind: 'loop', name: loop.name });
    return events.length > 0 || more;
  }

  report(): ClusterEvent | undefined {
    return this.#agents.report(this.#state, this.#parts.at);
  }

  *commit(events: readonly ClusterEvent[], actor: Actor): Generator<undefined, undefined, undefined> {
    const transaction = { index: this.#state.index + 1, at: this.#parts.at, actor, events };
    const { state, changes } = evolve(this.#state, transaction);
    this.#state = state;
    this.#note(changes);
    yield;
    for (const loop of this.#parts.loops) {
      loop.observe(changes, state);
      if (changes.changes.length > 1_000) yield;
    }
  }

  end(settled: boolean): Rehearsed {
    return { state: this.#state, touched: this.#touched, settled };
  }

  #note(changes: ChangeSet): void {
    for (const change of changes.changes) {
      if (change.kind !== 'task') continue;
      const id = (change.after ?? change.before)?.id;
      if (id !== undefined) this.#touched.add(id);
    }
    this.#agents.observe(changes);
  }
}
