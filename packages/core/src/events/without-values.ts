/** A transaction as history may keep it: all that happened, and no value of a secret. */

import type { ClusterEvent, Transaction } from './event.ts';

const NOTHING = new Uint8Array();

/** The same transaction with the values of secrets, and the key of their digests, left empty. */
export function withoutValues(transaction: Transaction): Transaction {
  return { ...transaction, events: transaction.events.map(eventWithoutValues) };
}

function eventWithoutValues(event: ClusterEvent): ClusterEvent {
  switch (event.type) {
    case 'cluster.created':
      return { ...event, digestKey: NOTHING };
    case 'vault.stored':
      return { ...event, data: NOTHING };
    default:
      return event;
  }
}
