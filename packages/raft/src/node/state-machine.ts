/** What stands on top of a node: the replicated state. It is told of each committed command, in order, once. */

import type { LogIndex, Term } from '../core/types.ts';

/** One committed command. */
export interface AppliedCommand {
  readonly index: LogIndex;
  readonly term: Term;
  readonly payload: Uint8Array;
}

/** A view of the state as it is now, held until released. */
export interface MachineCapture {
  /** Streams the view, while later commands are applied beside it. Called at most once. */
  chunks(): AsyncIterable<Uint8Array>;
  /** Lets the view go. Safe to call twice. */
  release(): void;
}

/** The replicated state. */
export interface RaftStateMachine {
  /** Applies one command. Synchronous and deterministic. If it throws, the node stops for good: state would drift. */
  apply(command: AppliedCommand): void;
  /** Phase one of a snapshot: takes an immutable view at once. */
  capture(): MachineCapture;
  /** Replaces the whole state. Chunks are cut otherwise than they were written. */
  restore(index: LogIndex, chunks: AsyncIterable<Uint8Array>): Promise<void>;
}
