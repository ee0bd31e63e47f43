/**
 * What the collections of a cluster (services, nodes, secrets…) have in common: reading the committed state, and
 * carrying out a command through the leader with deadlines and a command id.
 */

import {
  ClosedError,
  InvalidSpecError,
  OutcomeUnknownError,
  PreconditionError,
  UnavailableError,
} from '../errors.ts';
import type { Actor, CommandAnswer } from '../events/event.ts';
import type { DecideContext } from '../manager/control-loop.ts';
import type { CommandKind, Decided } from '../manager/leader-store.ts';
import type { Manager } from '../manager/manager.ts';
import type { Finding } from '../model/finding.ts';
import { type CommandId, newId } from '../model/ids.ts';
import { type WaitOptions, withDeadline } from '../runtime/abort.ts';
import type { Clock } from '../runtime/clock.ts';
import { keyedDigest } from '../runtime/keyed-digest.ts';
import type { Lifetime } from '../runtime/lifetime.ts';
import type { Logger } from '../runtime/logger.ts';
import type { Random } from '../runtime/random.ts';
import type { ChangeSet } from '../state/change.ts';
import type { ChangeFeed } from '../state/change-feed.ts';
import type { ClusterState } from '../state/cluster-state.ts';
import type { Forgetting } from './forgetting.ts';

/** Options of every command. */
export interface CommandOptions extends WaitOptions {
  /** Names the command, so that asking again after an unknown outcome is safe. Default: a new one. */
  readonly commandId?: string;
  /** Who asks, for the history. */
  readonly user?: string;
  /**
   * Index of a plan: the command is carried out only as long as what was planned would still come of it. Nodes,
   * services, networks, settings and where tasks are must be as they were; a task's way to running does not count.
   * Otherwise an IndexConflictError. Default: always.
   */
  readonly ifIndex?: number;
}

/** Options of a command on an object that the caller has read. */
export interface VersionedCommandOptions extends CommandOptions {
  /** The version that the caller read. A stale one is a VersionConflictError. Default: any. */
  readonly version?: number;
}

/** The kinds of commands on one kind of object. */
export function commandsOn(what: string) {
  return {
    create: { what, actions: ['created'] },
    update: { what, actions: ['updated', 'unchanged'] },
    apply: { what, actions: ['created', 'updated', 'unchanged'] },
    remove: { what, actions: ['removed'] },
  } as const satisfies Record<string, CommandKind>;
}

/** The cluster as its collections see it. */
export class Control {
  readonly manager: Manager;
  readonly feed: ChangeFeed;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  /** Ends when the cluster closes. */
  readonly lifetime: Lifetime;
  readonly #forgetting: Forgetting;
  #closing = false;

  constructor(parts: {
    readonly manager: Manager;
    readonly feed: ChangeFeed;
    readonly clock: Clock;
    readonly random: Random;
    readonly logger: Logger;
    readonly lifetime: Lifetime;
    readonly forgetting: Forgetting;
  }) {
    this.manager = parts.manager;
    this.feed = parts.feed;
    this.clock = parts.clock;
    this.random = parts.random;
    this.logger = parts.logger;
    this.lifetime = parts.lifetime;
    this.#forgetting = parts.forgetting;
  }

  /** The committed state of this member. */
  get state(): ClusterState {
    return this.feed.state;
  }

  /** What stands for a secret value where others can see. */
  digest(value: Uint8Array): string {
    const key = this.state.roots.digestKey;
    if (!key) throw new PreconditionError('the cluster is not formed yet');
    return keyedDigest(key, value);
  }

  /**
   * Waits until what was removed is gone from the disk, too.
   *
   * @throws UnavailableError while it could not be; TimeoutError, AbortedError
   */
  forget(what: string, options: WaitOptions): Promise<void> {
    const { clock, lifetime } = this;
    return withDeadline(clock, options, `compaction after ${what}`, () => this.#forgetting.done(), {
      lifetime,
    });
  }

  /** @throws ClosedError once commands are refused. */
  assertTakes(): void {
    if (this.#closing) throw new ClosedError('the cluster');
  }

  /** From here on commands are refused; those on their way are seen through. */
  takeNoMore(): void {
    this.#closing = true;
  }

  /** Ends every wait and watch. */
  close(): void {
    this.lifetime.end(new ClosedError('the cluster'));
  }

  /**
   * Carries out a command: decides on the leader's head state, and answers once that is committed.
   *
   * @param kind - what the command can have done; an id that did something else is refused.
   * @param repeated - the answer when the command was carried out before under the same id.
   */
  async command<R>(
    what: string,
    options: CommandOptions,
    decide: (head: ClusterState, context: DecideContext) => Decided<R>,
    kind: CommandKind | undefined,
    repeated: (head: ClusterState, answer: CommandAnswer | undefined) => R,
  ): Promise<R> {
    this.assertTakes();
    const id = (options.commandId ?? newId<CommandId>(this.random)) as CommandId;
    const actor: Actor = { kind: 'user', ...(options.user === undefined ? {} : { name: options.user }) };
    let asked = false;
    const run = async (signal: AbortSignal): Promise<R> => {
      const { ledger, planGuard } = await this.manager.whenLeading(signal);
      asked = true;
      const decideIfPlanned: typeof decide = (head, context) => {
        planGuard.check(options.ifIndex, head);
        return decide(head, context);
      };
      return ledger.transact(actor, decideIfPlanned, {
        command: { id, repeated, ...(kind === undefined ? {} : { kind }) },
      });
    };
    try {
      return await withDeadline(this.clock, options, what, run, { lifetime: this.lifetime });
    } catch (error) {
      if (error instanceof UnavailableError && error.reason === 'too-large') {
        throw new InvalidSpecError([{ field: '', rule: `must be smaller: ${error.message}` }]);
      }
      const gaveUp = asked && isGivingUp(error);
      throw gaveUp ? new OutcomeUnknownError(id, `gave up waiting for the answer to ${what}`) : error;
    }
  }

  /**
   * Waits for the committed state to become so. Looks again after each commit that concerns it, at most once a turn.
   *
   * @param parts - `concerns` tells which commits can matter, by default all; `everyMs`: look again so often, too;
   *   `reasons` and `findings` are asked at a time-out.
   */
  async until<R>(
    what: string,
    options: WaitOptions,
    look: (state: ClusterState) => R | undefined,
    parts: {
      readonly concerns?: (changes: ChangeSet) => boolean;
      readonly everyMs?: number | undefined;
      readonly reasons?: () => readonly string[];
      readonly findings?: () => readonly Finding[];
    } = {},
  ): Promise<R> {
    const run = (signal: AbortSignal) =>
      new Promise<R>((resolve, reject) => {
        let cancelTurn = () => {};
        let cancelTimer = () => {};
        let looking = false;
        let over = false;
        const end = (finish: () => void) => {
          over = true;
          stop();
          cancelTurn();
          cancelTimer();
          finish();
        };
        const check = () => {
          looking = false;
          try {
            const found = look(this.state);
            if (found !== undefined) end(() => resolve(found));
          } catch (error) {
            end(() => reject(error));
          }
        };
        const stop = this.feed.onAdvance((entry) => {
          if (looking || (entry && parts.concerns?.(entry.changes) === false)) return;
          looking = true;
          cancelTurn = this.clock.defer(check);
        });
        const { everyMs } = parts;
        const lookAgain = () => {
          if (over || everyMs === undefined) return;
          cancelTimer = this.clock.setTimer(everyMs, () => {
            check();
            lookAgain();
          });
        };
        signal.addEventListener('abort', () => end(() => reject(signal.reason)), { once: true });
        check();
        lookAgain();
      });
    return withDeadline(this.clock, options, what, run, { ...parts, lifetime: this.lifetime });
  }
}

function isGivingUp(error: unknown): boolean {
  const code = (error as { readonly code?: unknown }).code;
  return code === 'TIMEOUT' || code === 'ABORTED' || code === 'CLOSED';
}
