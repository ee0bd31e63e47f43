/** The part that this member plays, as its core says it, told to whoever watches: role, term, leader, and serving. */

import type { RoleChange } from '../core/ready.ts';
import type { Term } from '../core/types.ts';
import type { Listeners } from './listeners.ts';
import type { NodeLeadership } from './node-status.ts';
import type { RaftLogger, RaftMetrics } from './ports.ts';

/** What sits around it. */
export interface OwnPartParts {
  readonly listeners: Listeners<NodeLeadership>;
  readonly logger: RaftLogger;
  readonly metrics: RaftMetrics;
  /** A term that this member led is over. Told before anyone else hears of what comes next. */
  readonly onTermLost: () => void;
  /** Another leads, or the same one in another term. */
  readonly onNewLeader: () => void;
}

const NOT_LEADING: NodeLeadership = { role: 'follower', term: 0, isServing: false };

/** One node's part. */
export class OwnPart {
  readonly #parts: OwnPartParts;
  #current = NOT_LEADING;

  constructor(parts: OwnPartParts) {
    this.#parts = parts;
  }

  get current(): NodeLeadership {
    return this.#current;
  }

  /** The core has another role, term or leader. */
  changed({ role, term, leader }: RoleChange): void {
    const { metrics, logger, onTermLost, onNewLeader } = this.#parts;
    const before = this.#current;
    const isSameTerm = role === 'leader' && before.role === 'leader' && before.term === term;
    if (before.role === 'leader' && !isSameTerm) onTermLost();
    if (leader !== undefined && leader !== before.leader) {
      metrics.count('raft_leader_changes_total', 1);
      logger.info({ leader, term }, 'a leader is known');
    }
    const isServing = isSameTerm && before.isServing;
    this.#become({ role, term, isServing, ...(leader === undefined ? {} : { leader }) });
    if (leader !== undefined && (leader !== before.leader || term !== before.term)) onNewLeader();
  }

  /** It leads that term, and has applied all that was committed before it. */
  serves(term: Term): void {
    if (this.#current.term === term) this.#become({ ...this.#current, isServing: true });
  }

  /** It takes no part any more. */
  ended(): void {
    this.#become({ ...NOT_LEADING, term: this.#current.term });
  }

  #become(next: NodeLeadership): void {
    const { metrics, listeners } = this.#parts;
    this.#current = next;
    metrics.gauge('raft_term', next.term);
    metrics.gauge('raft_is_leader', next.role === 'leader' ? 1 : 0);
    listeners.tell(next);
  }
}
