/** The task machine as a live actor, run by Skep's clock: one task's observed state, which only moves forward. */

import { type Actor, createActor } from 'xstate';
import type { TaskState } from '../model/task-state.ts';
import type { CancelTimer, Clock } from '../runtime/clock.ts';
import { type TaskEvent, taskMachine } from '../task/task-machine.ts';

/** One task's life. */
export class TaskActor {
  readonly #actor: Actor<typeof taskMachine>;

  /** @param state Where its life stands: a worker takes a task over at any point. */
  constructor(clock: Clock, state: TaskState) {
    this.#actor = createActor(taskMachine, {
      clock: {
        setTimeout: (callback: () => void, delayMs: number) => clock.setTimer(delayMs, callback),
        clearTimeout: (cancel: CancelTimer) => cancel(),
      },
      snapshot: taskMachine.resolveState({ value: state }),
    });
    this.#actor.start();
  }

  get state(): TaskState {
    return this.#actor.getSnapshot().value;
  }

  /** Tells it what happened. True when that moved it; what does not fit its state changes nothing. */
  send(type: TaskEvent['type']): boolean {
    const before = this.state;
    this.#actor.send({ type });
    return this.state !== before;
  }

  stop(): void {
    this.#actor.stop();
  }
}
