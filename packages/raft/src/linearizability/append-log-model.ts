/** A log that clients append to and read to its end: what an event log, and Raft itself, is to those who use it. */

import type { Model } from './model.ts';

/** What a client may ask. Each append has an id of its own. */
export type AppendLogInput = { readonly kind: 'append'; readonly id: string } | { readonly kind: 'read' };

/**
 * What it answers: where the entry went, or which entry was the last. Positions are positive numbers that grow and may
 * skip, since a log may keep entries of its own in between; an empty log ends at `{ position: 0, id: null }`.
 */
export type AppendLogOutput =
  | { readonly kind: 'appended'; readonly position: number }
  | { readonly kind: 'end'; readonly position: number; readonly id: string | null };

/** The last entry, which stands for all before it: each append has an id of its own. */
export interface AppendLogState {
  readonly id: string | null;
  readonly position: number;
  /** False if the append's answer is not known: then the entry is somewhere after `position`. */
  readonly isExact: boolean;
}

/** The positions that clients were told are a witness of the order, and leave little to search. */
export const appendLogModel: Model<AppendLogState, AppendLogInput, AppendLogOutput> = {
  initial: { id: null, position: 0, isExact: true },
  step(state, input, output) {
    if (input.kind === 'append') {
      if (output === undefined) return { id: input.id, position: state.position, isExact: false };
      if (output.kind !== 'appended' || output.position <= state.position) return undefined;
      return { id: input.id, position: output.position, isExact: true };
    }
    if (output === undefined) return state;
    if (output.kind !== 'end' || output.id !== state.id) return undefined;
    if (state.isExact) return output.position === state.position ? state : undefined;
    return output.position >= state.position
      ? { ...state, position: output.position, isExact: true }
      : undefined;
  },
  keyOf: ({ id, position, isExact }) =>
    `${isExact ? 'at' : 'after'} ${position} ${id === null ? '-' : `=${id}`}`,
  overwrites: ({ kind }) => kind === 'append',
  describe(input, output) {
    const asked = input.kind === 'append' ? `append ${input.id}` : 'read';
    if (output === undefined) return `${asked} -> unknown`;
    if (output.kind === 'appended') return `${asked} -> at ${output.position}`;
    return `${asked} -> ends with ${output.id ?? 'nothing'} at ${output.position}`;
  },
};
