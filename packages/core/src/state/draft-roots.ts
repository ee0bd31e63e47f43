/** What the parts of a draft share: the roots that it writes, its right to write in place, and its one fault. */

import type { NodeId } from '../model/ids.ts';
import type { Node } from '../model/objects.ts';
import type { StateRoots } from './cluster-state.ts';
import type { Owner } from './persistent/owner.ts';
import type { RowFinder } from './table.ts';

/** Thrown when events do not fit the state they are applied to. A fault of ours, never of a user. */
export class InconsistentEventError extends Error {
  override readonly name = 'InconsistentEventError';
}

/** The roots of a state in the making. */
export interface DraftRoots {
  readonly roots: { -readonly [K in keyof StateRoots]: StateRoots[K] };
  readonly owner: Owner;
  readonly nodeRows: RowFinder<NodeId, Node>;
}
