import type { Actor } from '../../events/event.ts';

/** Who the dispatcher's transactions are by. */
export const DISPATCHER: Actor = { kind: 'loop', name: 'dispatcher' };
