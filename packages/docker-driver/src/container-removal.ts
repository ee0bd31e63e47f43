/** Removing containers of this node, whatever state they are in, and waiting until they are gone. */

import type { DriverContext, RuntimeTask } from '@skep/core/driver';
import type { CallLimit } from './call-limit.ts';
import type { Engine } from './engine.ts';
import { hasStatus } from './engine-error.ts';
import { ownFilter } from './labels.ts';
import { pause } from './pause.ts';

/** Between two looks at a container that somebody else is removing, doubling. */
const POLL_MS = 50;
const POLL_MAX_MS = 2_000;
/** Beyond the grace, until a stop counts as hanging. */
const STOP_MARGIN_MS = 60_000;

/** What removals work with. */
export interface RemovalParts {
  readonly engine: Engine;
  readonly limit: CallLimit;
  readonly context: DriverContext;
}

/** The containers of one task of this node; more than one only after an accident. */
export async function containersOf(
  { engine, context }: RemovalParts,
  id: RuntimeTask['id'],
  signal: AbortSignal,
): Promise<readonly string[]> {
  const found = await engine.call({ what: 'list', signal }, (docker, abortSignal) =>
    docker.listContainers({ all: true, filters: ownFilter(context, id), abortSignal }),
  );
  return found.map(({ Id }) => Id);
}

/**
 * Asks a container to end, and resolves when it has. One that is gone, or was never started, is no error.
 *
 * @param graceSeconds - default: the container's own.
 */
export async function stopContainer(
  engine: Engine,
  container: string,
  signal: AbortSignal,
  graceSeconds?: number,
): Promise<void> {
  const deadlineMs = STOP_MARGIN_MS + (graceSeconds ?? 3_600) * 1000;
  try {
    await engine.call({ what: 'stop', signal, deadlineMs }, (docker, abortSignal) =>
      docker
        .getContainer(container)
        .stop({ abortSignal, ...(graceSeconds !== undefined && { t: graceSeconds }) }),
    );
  } catch (error) {
    if (!hasStatus(error, 304, 404)) throw error;
  }
}

/** Removes a container and its anonymous volumes, stopping it first with its own grace. Resolves when it is gone. */
export async function removeContainer(
  parts: RemovalParts,
  container: string,
  signal: AbortSignal,
): Promise<void> {
  const { engine, limit, context } = parts;
  const remove = (force: boolean) =>
    limit.run(
      () =>
        engine.call({ what: 'remove', signal }, (docker, abortSignal) =>
          docker.getContainer(container).remove({ v: true, force, abortSignal }),
        ),
      { signal },
    );
  let force = false;
  for (let pollMs = POLL_MS; ; pollMs = Math.min(pollMs * 2, POLL_MAX_MS)) {
    try {
      await remove(force);
      return;
    } catch (error) {
      if (hasStatus(error, 404)) return;
      if (!hasStatus(error, 409)) throw error;
      if (/already in progress/i.test(error.message)) await pause(context.clock, pollMs, signal);
      else {
        if (force) throw error;
        await stopContainer(engine, container, signal);
        force = true;
      }
    }
  }
}
