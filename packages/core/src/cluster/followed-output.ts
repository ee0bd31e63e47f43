/** The output of one task, followed also when the way to its node is lost for a while. */

import type { LogChunk, LogOptions } from '../driver/runtime-driver.ts';
import { DriverError, PreconditionError, UnavailableError } from '../errors.ts';
import { type Clock, sleep } from '../runtime/clock.ts';

/** What following goes by. */
export interface FollowedParts {
  /** Reads the output from a time on, which counts. */
  readonly read: (range: Pick<LogOptions, 'since' | 'tail'>) => AsyncIterable<LogChunk>;
  /** Whether there can be no more of it: a node that is gone says nothing any more. */
  readonly isOver: () => boolean;
  readonly clock: Clock;
  readonly signal: AbortSignal;
}

/** Before it is tried again, in ms. */
const AGAIN_MS = 250;
/** A node that has come back may need so many times until it knows its tasks again. */
const STRANGE_MAX = 40;

/** What came last of one stream: when, and how many bytes came at that time. */
interface Seen {
  readonly at: number;
  readonly bytes: number;
}

/** The node, or who leads, can't be reached just now. */
export function isOutOfReach(error: unknown): error is PreconditionError | UnavailableError {
  return error instanceof PreconditionError || error instanceof UnavailableError;
}

/**
 * Follows a task's output. When it breaks off, it goes on where it was, so that nothing comes twice.
 *
 * @param range - what is wanted at first.
 * @throws what reading throws, if there can be no more or it would help nothing to ask again; the signal's reason.
 */
export async function* followedOutput(
  range: Pick<LogOptions, 'since' | 'tail'>,
  { read, isOver, clock, signal }: FollowedParts,
): AsyncGenerator<LogChunk, void, undefined> {
  const seen = new Map<LogChunk['stream'], Seen>();
  let strange = STRANGE_MAX;
  for (;;) {
    try {
      const since = oldestOf(seen);
      const known = new Map(seen);
      for await (const chunk of read(since === undefined ? range : { since })) {
        const fresh = since === undefined ? chunk : withoutKnown(chunk, known);
        if (fresh === undefined) continue;
        note(seen, fresh);
        strange = 0;
        yield fresh;
      }
      return;
    } catch (error) {
      const isBack = error instanceof DriverError && strange++ < STRANGE_MAX;
      if (!(isBack || isOutOfReach(error)) || isOver()) throw error;
      if (isOutOfReach(error)) strange = 0;
      await sleep(clock, AGAIN_MS, signal);
    }
  }
}

/** From where all streams have to be read again. One that said nothing yet may have begun since. */
function oldestOf(seen: ReadonlyMap<LogChunk['stream'], Seen>): number | undefined {
  if (seen.size === 0) return undefined;
  return Math.min(...[...seen.values()].map(({ at }) => at));
}

function note(seen: Map<LogChunk['stream'], Seen>, { stream, at, data }: LogChunk): void {
  const before = seen.get(stream);
  if (before !== undefined && at < before.at) return;
  const bytes = data.length + (before?.at === at ? before.bytes : 0);
  seen.set(stream, { at, bytes });
}

/** The chunk without what has come before; undefined if that is all of it. `known` forgets what it was found to be. */
function withoutKnown(chunk: LogChunk, known: Map<LogChunk['stream'], Seen>): LogChunk | undefined {
  const { stream, at, data } = chunk;
  const before = known.get(stream);
  if (before === undefined || at > before.at) return chunk;
  if (at < before.at) return undefined;
  const bytes = Math.min(before.bytes, data.length);
  known.set(stream, { at, bytes: before.bytes - bytes });
  return bytes === data.length ? undefined : { stream, at, data: data.subarray(bytes) };
}
