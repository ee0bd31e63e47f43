/** What arrives from other members: who may say what, and who takes it. */

import { membersOf } from '../core/membership.ts';
import type { RaftCore } from '../core/raft.ts';
import type { Configuration } from '../core/types.ts';
import { TransportError } from '../transport/errors.ts';
import type { PeerMessage } from '../transport/peer-message.ts';
import type { AcceptedProposals } from './accepted-proposals.ts';
import type { RaftNodeSettings } from './options.ts';
import type { Proposals } from './proposals.ts';

/** What sits behind it. */
export interface IncomingParts {
  readonly settings: Pick<RaftNodeSettings, 'id' | 'transport' | 'metrics' | 'logger'>;
  readonly core: RaftCore;
  readonly accepted: AcceptedProposals;
  readonly proposals: Proposals;
  readonly configuration: () => Configuration;
  readonly isDiskFull: () => boolean;
}

/** One node's messages. */
export class Incoming {
  readonly #parts: IncomingParts;

  constructor(parts: IncomingParts) {
    this.#parts = parts;
  }

  /** Takes a message from the member that it names, or refuses it. */
  take(message: PeerMessage): void {
    const { settings, core, proposals } = this.#parts;
    if (message.to !== settings.id) this.#refuse(message, 'wrong-receiver');
    else if (message.type === 'proposal') this.#propose(message);
    else if (message.type === 'proposal-refused') proposals.refused(message.attempt, message.reason);
    else if (message.type === 'install-snapshot') {
      // It comes with its bytes or not at all: the core would count on a snapshot that nobody has.
      this.#refuse(message, 'garbled-frame');
    } else if (!core.step(message)) this.#refuse(message, 'stranger');
  }

  #propose(message: Extract<PeerMessage, { readonly type: 'proposal' }>): void {
    const { settings, accepted, configuration, isDiskFull } = this.#parts;
    const { from, to, attempt, command } = message;
    if (!membersOf(configuration()).includes(from)) {
      this.#refuse(message, 'stranger');
      return;
    }
    const reason = accepted.acceptFrom(from, attempt, command, isDiskFull());
    if (reason === undefined) return;
    settings.transport.send({ type: 'proposal-refused', from: to, to: from, attempt, reason });
  }

  #refuse({ type, from, to }: PeerMessage, reason: 'stranger' | 'wrong-receiver' | 'garbled-frame'): void {
    const { metrics, logger } = this.#parts.settings;
    const code = reason === 'wrong-receiver' ? 'stranger' : reason;
    const err = new TransportError(code, `a ${type} from ${from} to ${to} is not taken here`);
    metrics.count('raft_messages_refused_total', 1, { reason });
    logger.debug({ err, reason }, 'a message was refused');
  }
}
