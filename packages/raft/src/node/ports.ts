/**
 * What a node asks of its surroundings besides disk and network: time, a logger, a place for numbers. The shapes are
 * small on purpose, so that what an embedding program has already will fit.
 */

/** Cancels a timer. Safe to call after it fired. */
export type CancelTimer = () => void;

/** Time as the node sees it. */
export interface RaftClock {
  /** Milliseconds from an arbitrary start, never going back. */
  monotonic(): number;
  /** Calls back once after at least `delayMs`. */
  setTimer(delayMs: number, callback: () => void): CancelTimer;
  /** Calls back in a later turn of the event loop. */
  defer(callback: () => void): CancelTimer;
}

/** Facts beside a message. Never a payload. */
export type RaftLogFields = Readonly<Record<string, unknown>>;

/** The logger that an embedding program injects; pino's shape. */
export interface RaftLogger {
  debug(fields: RaftLogFields, message: string): void;
  info(fields: RaftLogFields, message: string): void;
  warn(fields: RaftLogFields, message: string): void;
  error(fields: RaftLogFields, message: string): void;
}

/** Labels of one number, few and of few values. */
export type RaftMetricLabels = Readonly<Record<string, string>>;

/**
 * Where numbers go. Names are `raft_...` with their unit at the end, as Prometheus has them; a bridge to any registry
 * is three lines. The README lists them.
 */
export interface RaftMetrics {
  /** Adds to a counter. */
  count(name: string, by: number, labels?: RaftMetricLabels): void;
  /** Sets a gauge. */
  gauge(name: string, value: number, labels?: RaftMetricLabels): void;
  /** Adds to a distribution. */
  observe(name: string, value: number, labels?: RaftMetricLabels): void;
}

/** Says nothing. */
export const silentRaftLogger: RaftLogger = {
  debug: () => {},
  info: () => {},
  warn: () => {},
  error: () => {},
};

/** Counts nothing. */
export const noRaftMetrics: RaftMetrics = { count: () => {}, gauge: () => {}, observe: () => {} };
