/**
 * Builds the index of a state in slices, so that a leader of a million tasks answers heartbeats from its first second
 * on. It works on the state that it began with, which never changes, and folds in afterwards what happened meanwhile.
 */

import type { ChangeSet } from '../../state/change.ts';
import type { ClusterState } from '../../state/cluster-state.ts';
import { PlacementIndex } from './placement-index.ts';

/** Rows of tasks, or changes, in one slice. */
const ROWS_PER_SLICE = 20_000;

interface Missed {
  readonly changes: ChangeSet;
  readonly state: ClusterState;
}

/** An index in the making. */
export class IndexLoader {
  readonly index: PlacementIndex;
  readonly #state: ClusterState;
  #nextRow = 0;
  #missed: Missed[] = [];
  #folded = 0;

  constructor(state: ClusterState) {
    this.index = PlacementIndex.withoutTasks(state);
    this.#state = state;
  }

  /** Something happened meanwhile. */
  observe(changes: ChangeSet, state: ClusterState): void {
    this.#missed.push({ changes, state });
  }

  /**
   * Goes on with a slice.
   *
   * @returns `more` as long as there is; `done` once the index is that of the newest state that was observed;
   *   `refused` when a change can't be folded in (see {@link PlacementIndex.fold}), and one is to begin anew.
   */
  goOn(): 'more' | 'done' | 'refused' {
    const { rows } = this.#state.roots.tasks;
    let left = ROWS_PER_SLICE;
    if (this.#nextRow < rows.length) {
      this.index.loadTasks(this.#state, this.#nextRow, this.#nextRow + left);
      this.#nextRow += left;
      if (this.#nextRow < rows.length) return 'more';
      left = 0;
    }
    for (; this.#folded < this.#missed.length; this.#folded++) {
      if (left < 0) return 'more';
      const { changes, state } = this.#missed[this.#folded] as Missed;
      if (!this.index.fold(changes, state)) return 'refused';
      left -= changes.changes.length + 1;
    }
    this.#missed = [];
    return 'done';
  }
}
