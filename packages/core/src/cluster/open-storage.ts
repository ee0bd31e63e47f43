/** Where a cluster keeps its log and its history: in its directory, in memory, or where its owner says. */

import type { History } from '../history/history.ts';
import type { HistoryStore } from '../history/history-store.ts';
import { MemoryHistoryStore } from '../history/memory-history-store.ts';
import { checkHistoryOptions, type HistoryOptions } from '../history/options.ts';
import { asUnavailable } from '../log/as-unavailable.ts';
import type { EventLog, RecoveryReport } from '../log/event-log.ts';
import { MemoryEventLog } from '../log/memory-event-log.ts';
import type { Clock } from '../runtime/clock.ts';
import type { Logger } from '../runtime/logger.ts';
import type { Replica } from '../state/replica.ts';

/** What a cluster stands on. Nothing of it is open yet. */
export interface Storage {
  readonly log: EventLog;
  /** Absent when the owner wants no history. */
  readonly history?: { readonly store: HistoryStore; readonly options: HistoryOptions };
}

/** Chooses the storage that the options of a cluster ask for. @throws InvalidSpecError */
export async function chooseStorage(
  options: {
    readonly dir?: string;
    readonly log?: EventLog;
    readonly history?: HistoryOptions | false;
  },
  parts: { readonly clock: Clock; readonly logger: Logger },
): Promise<Storage> {
  const { dir, log, history = {} } = options;
  if (history !== false) checkHistoryOptions(history);
  if (dir === undefined) {
    return withHistory(log ?? new MemoryEventLog(), history, () => new MemoryHistoryStore());
  }
  const { FileEventLog, FileHistoryStore, fileKeyProvider } = await import('@skep/core/file');
  const logDir = `${dir}/log`;
  // One for both, so that only one comes to make the key.
  const keyProvider = fileKeyProvider(`${logDir}/key`);
  return withHistory(
    new FileEventLog({ dir: logDir, keyProvider, ...parts }),
    history,
    () => new FileHistoryStore({ dir: `${dir}/history`, keyProvider, ...parts }),
  );
}

function withHistory(
  log: EventLog,
  options: HistoryOptions | false,
  defaultStore: () => HistoryStore,
): Storage {
  if (options === false) return { log };
  return { log, history: { store: options.store ?? defaultStore(), options } };
}

/**
 * Opens the log on an empty replica. What is stored and can't be read is told as any other error of Skep, with the
 * log's own code as its reason; the history is closed then.
 */
export async function openLog(
  log: EventLog,
  replica: Replica,
  history: History | undefined,
): Promise<RecoveryReport> {
  try {
    return await log.open(replica);
  } catch (error) {
    await history?.close();
    throw asUnavailable(error);
  }
}
