/**
 * The past of a cluster on one member: states as they were, and the stories of objects. It ties the recorder, which
 * writes, to what reads, and says in the caller's words what is asked for and is not there.
 */

import { AbortedError, HistoryPrunedError, InvalidSpecError, PreconditionError } from '../errors.ts';
import { decodeTransaction } from '../events/codec.ts';
import { asUnavailable } from '../log/as-unavailable.ts';
import { checkOptions, type OptionNames } from '../runtime/check-options.ts';
import { type Clock, yieldTurn } from '../runtime/clock.ts';
import type { Lifetime } from '../runtime/lifetime.ts';
import type { Logger } from '../runtime/logger.ts';
import type { ChangeFeed, FeedEntry } from '../state/change-feed.ts';
import type { ClusterState } from '../state/cluster-state.ts';
import { evolve } from '../state/evolve/evolve.ts';
import type { Replica } from '../state/replica.ts';
import { stateWithoutValues } from '../state/without-values.ts';
import type { HistoryEvent } from './history-event.ts';
import type { HistoryStore, Moment } from './history-store.ts';
import { indexAtDate, nextKept, oldestKept, routeTo, segmentsBetween } from './kept-range.ts';
import { type HistoryOptions, historyBounds } from './options.ts';
import { PastStates } from './past-states.ts';
import { HistoryRecorder } from './recorder.ts';
import { type Range, tellStory } from './story.ts';
import { type HistorySubject, type Named, parseSubject } from './subject.ts';

/** A story goes on for so long before others have their turn. */
const SLICE_MS = 8;

/** Which part of a story is told. */
export interface StoryOptions {
  /** From this transaction or time on, itself included. Default: as far back as history goes. */
  readonly from?: number | Date;
  /** Up to this transaction or time, itself included. Default: the newest. */
  readonly to?: number | Date;
  /** Tells so many changes at most. Default: all. */
  readonly limit?: number;
  /** Ends the story. */
  readonly signal?: AbortSignal;
}

/** Options of {@link History.at}. */
export interface AtOptions {
  /** Gives up. */
  readonly signal?: AbortSignal;
}

const STORY_OPTIONS: OptionNames<StoryOptions> = { from: true, to: true, limit: true, signal: true };
const AT_OPTIONS: OptionNames<AtOptions> = { signal: true };

interface AskedRange {
  readonly from: number | Date;
  readonly to: number | Date;
  /** Whether the caller said where to begin. */
  readonly isAsked: boolean;
}

/** What a history works with. */
export interface HistoryParts {
  readonly store: HistoryStore;
  readonly options: HistoryOptions;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly lifetime: Lifetime;
  /** Still empty: what it will commit is recorded. */
  readonly replica: Replica;
}

/** The past of a cluster. */
export class History {
  readonly #parts: HistoryParts;
  readonly #recorder: HistoryRecorder;
  readonly #states: PastStates;
  #feed: ChangeFeed | undefined;

  private constructor(parts: HistoryParts) {
    const { store, options, clock, logger } = parts;
    this.#parts = parts;
    const states = new PastStates(store, clock);
    this.#states = states;
    const bounds = historyBounds(options, store);
    this.#recorder = new HistoryRecorder({ store, clock, logger, bounds, onAnew: () => states.forget() });
  }

  /**
   * Opens what is kept, and records from here on.
   *
   * @throws InvalidSpecError; UnavailableError with the reason when the store can't be opened
   */
  static async open(parts: HistoryParts): Promise<History> {
    const history = new History(parts);
    try {
      await parts.store.open();
    } catch (error) {
      throw asUnavailable(error);
    }
    history.#recorder.follow(parts.replica);
    return history;
  }

  /**
   * The log has been replayed. Where what is kept is of another past (another cluster's, or that of a log that a backup
   * has replaced), history begins anew, and says so in the log of the program. Of what shows only later the same comes.
   *
   * @param isWhole - the log has given all that there is, and not only what this member has of it.
   */
  compare(isWhole: boolean): void {
    this.#recorder.compare(this.#present, isWhole);
  }

  /** What happened lately is taken from this feed, where it still stands as it was. */
  serve(feed: ChangeFeed): void {
    this.#feed = feed;
  }

  /** Ends recording; what was recorded stays. */
  close(): Promise<void> {
    return this.#recorder.close();
  }

  /** The oldest moment that {@link at} can give; undefined as long as nothing has happened. */
  get oldest(): Moment | undefined {
    return oldestKept(this.#parts.store) ?? this.#recorder.last;
  }

  /**
   * The state as it was behind a transaction, or at a time, without the values of secrets.
   *
   * @throws InvalidSpecError; PreconditionError for the future; HistoryPrunedError for what is forgotten;
   *   UnavailableError when the store can't be read; AbortedError; ClosedError
   */
  async at(moment: number | Date, options: AtOptions = {}): Promise<ClusterState> {
    checkOptions(options, AT_OPTIONS);
    const { signal } = options;
    const checked = checkMoment(moment, 'moment');
    this.#refuseEnded(signal);
    try {
      return await this.#at(checked, signal);
    } catch (error) {
      throw this.#told(error, signal);
    }
  }

  /**
   * What happened to an object, or to all, oldest first.
   *
   * @throws InvalidSpecError at once; while it is told, NotFoundError, and as {@link at}
   */
  story(
    subject: HistorySubject | undefined,
    options: StoryOptions = {},
  ): AsyncGenerator<HistoryEvent, void, undefined> {
    checkOptions(options, STORY_OPTIONS);
    return this.#tell(subject === undefined ? undefined : parseSubject(subject), {
      from: checkMoment(options.from ?? 1, 'from'),
      to: checkMoment(options.to ?? Number.MAX_SAFE_INTEGER, 'to'),
      limit: checkLimit(options.limit),
      isAsked: options.from !== undefined,
      signal: options.signal,
    });
  }

  /**
   * What was committed behind an index, transaction by transaction, each with the state that it led to, without the
   * values of secrets. Ends where it is not known how it went on, at the latest with the present.
   *
   * @throws as {@link at}
   */
  async *after(index: number): AsyncGenerator<FeedEntry, void, undefined> {
    this.#refuseEnded(undefined);
    const pause = this.#pacer(undefined);
    try {
      let state = await this.#at(index, undefined);
      for (let end = -1; end !== state.index; ) {
        end = state.index;
        await this.#recorder.settle();
        for (const segment of segmentsBetween(this.#parts.store, end, Number.MAX_SAFE_INTEGER)) {
          for (const block of await segment.blocks()) {
            if (block.last <= state.index) continue;
            for (const record of await this.#states.read(block)) {
              if (record.index <= state.index) continue;
              if (record.index !== state.index + 1) return;
              const entry = evolve(state, decodeTransaction(record.payload));
              state = entry.state;
              yield entry;
              await pause();
            }
          }
        }
      }
    } catch (error) {
      throw this.#told(error, undefined);
    }
  }

  /** Lets others have their turn, when it is time. It throws once nobody asks any more. */
  #pacer(signal: AbortSignal | undefined): () => Promise<void> {
    const { clock } = this.#parts;
    let began = clock.monotonic();
    return async () => {
      this.#refuseEnded(signal);
      if (clock.monotonic() - began < SLICE_MS) return;
      await yieldTurn(clock);
      began = clock.monotonic();
    };
  }

  async *#tell(
    named: Named | undefined,
    { limit, signal, ...asked }: AskedRange & { limit: number; signal: AbortSignal | undefined },
  ): AsyncGenerator<HistoryEvent, void, undefined> {
    const present = this.#present;
    let left = limit;
    this.#refuseEnded(signal);
    try {
      await this.#recorder.settle();
      const range = await this.#range(asked);
      const { store } = this.#parts;
      const pause = this.#pacer(signal);
      const told = tellStory({ store, states: this.#states, present, pause }, named, range);
      for await (const event of told) {
        yield event;
        left -= 1;
        if (left <= 0) return;
      }
    } catch (error) {
      throw this.#told(error, signal);
    }
  }

  get #present(): ClusterState {
    return this.#parts.replica.state;
  }

  async #at(moment: number | Date, signal: AbortSignal | undefined): Promise<ClusterState> {
    this.#refuseFuture(moment, 0);
    const index = moment instanceof Date ? await this.#indexAt(moment) : moment;
    const present = this.#present;
    // What happened lately is still in memory, as it was.
    const recent = index === present.index ? present : this.#feed?.at(index)?.state;
    if (recent) return stateWithoutValues(recent);
    const { store } = this.#parts;
    let route = routeTo(store, index);
    if (!route) {
      await this.#recorder.settle();
      route = routeTo(store, index);
    }
    if (!route) throw new HistoryPrunedError(`index ${index}`, nextKept(store, index) ?? present);
    return stateWithoutValues(await this.#states.at(index, route, signal));
  }

  async #indexAt(date: Date): Promise<number> {
    const { store } = this.#parts;
    await this.#recorder.settle();
    const index = await indexAtDate(store, date.getTime());
    if (index !== undefined) return index;
    throw new HistoryPrunedError(date.toISOString(), oldestKept(store) ?? this.#present);
  }

  /** The first and the last index of a story. One that is asked to begin before history does is refused. */
  async #range({ from, to, isAsked }: AskedRange): Promise<Range> {
    const { store } = this.#parts;
    this.#refuseFuture(from, 1);
    const since = from instanceof Date ? await this.#lastUpTo(from.getTime() - 1) : from - 1;
    const last = to instanceof Date ? await this.#lastUpTo(to.getTime()) : to;
    const first = store.segments[0]?.first ?? 1;
    const { oldest } = this;
    const isBefore = isAsked && oldest !== undefined && since + 1 < first;
    if (isBefore && !(from instanceof Date && from.getTime() >= oldest.at)) {
      throw new HistoryPrunedError(from instanceof Date ? from.toISOString() : `index ${from}`, oldest);
    }
    return { from: Math.max(since + 1, first), to: last };
  }

  async #lastUpTo(time: number): Promise<number> {
    return (await indexAtDate(this.#parts.store, time)) ?? 0;
  }

  /** @param ahead - so far beyond the newest index is still no future. */
  #refuseFuture(moment: number | Date, ahead: number): void {
    const { index, at } = this.#present;
    if (moment instanceof Date) {
      const time = moment.getTime();
      if (time <= this.#parts.clock.now() || time <= at) return;
      throw new PreconditionError(`${moment.toISOString()} is in the future`);
    }
    if (moment > index + ahead) {
      throw new PreconditionError(`index ${moment} is of the future: the newest is ${index}`);
    }
  }

  /** @throws AbortedError, ClosedError */
  #refuseEnded(signal: AbortSignal | undefined): void {
    if (signal?.aborted) throw new AbortedError(signal.reason);
    if (this.#parts.lifetime.ended) throw this.#parts.lifetime.ended;
  }

  /** What went wrong, as Skep's callers know it. */
  #told(error: unknown, signal: AbortSignal | undefined): unknown {
    if (this.#parts.lifetime.ended) return this.#parts.lifetime.ended;
    if (signal?.aborted) return new AbortedError(signal.reason);
    return asUnavailable(error);
  }
}

/** A moment as a caller names it, in that field of his. @throws InvalidSpecError */
export function checkMoment(moment: unknown, field: string): number | Date {
  if (moment instanceof Date && !Number.isNaN(moment.getTime())) return moment;
  if (typeof moment === 'number' && Number.isSafeInteger(moment) && moment > 0) return moment;
  const rule = 'must be the index of a transaction, a whole number from 1, or a valid Date';
  throw new InvalidSpecError([{ field, rule }]);
}

function checkLimit(limit: unknown): number {
  if (limit === undefined) return Number.POSITIVE_INFINITY;
  if (typeof limit === 'number' && Number.isSafeInteger(limit) && limit > 0) return limit;
  throw new InvalidSpecError([{ field: 'limit', rule: 'must be a whole number from 1' }]);
}
