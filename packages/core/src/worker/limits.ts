/** Every wait, retry and batch of a worker that has a bound, with its name and default. */

/** Limits of an agent, its worker and its executors. All times in milliseconds. */
export interface WorkerLimits {
  /** One attempt of the driver to prepare a task: images take their time. Default 15 min. */
  readonly prepareMs: number;
  /** One attempt to start a task. Default 2 min. */
  readonly startMs: number;
  /** Beyond the grace that the task itself has, until a stop counts as hanging. Default 10 s. */
  readonly stopMarginMs: number;
  /** Attempts to stop a task, the last ones without grace, before it is reported as failed. Default 3. */
  readonly stopAttempts: number;
  /** One attempt to remove what a task left. Default 1 min. */
  readonly removeMs: number;
  /** The first wait after a temporary error of the driver. Each next one is twice as long. Default 1 s. */
  readonly retryMs: number;
  /** The longest wait between attempts. Default 30 s. */
  readonly retryMaxMs: number;
  /** The first wait after an image could not be fetched, which the registry counts. Default 10 s. */
  readonly pullRetryMs: number;
  /** The longest wait between attempts to fetch an image. Default 5 min. */
  readonly pullRetryMaxMs: number;
  /** The driver's opening. Default 1 min. */
  readonly openMs: number;
  /** One description of the node. Default 10 s. */
  readonly describeMs: number;
  /** Between two descriptions. Default 20 s. */
  readonly describeEveryMs: number;
  /** One call to the dispatcher other than a report. Default 5 s. */
  readonly callMs: number;
  /** Until others have confirmed that they send nothing here any more, when the node leaves. Default 5 s. */
  readonly leaveMs: number;
  /** One report of statuses, which takes a commit. Default 10 s. */
  readonly reportMs: number;
  /** Statuses in one report. Default 1,000. */
  readonly reportRows: number;
  /** The first wait before a lost session is opened again, doubling. Default 100 ms. */
  readonly reconnectMs: number;
  /** The longest wait between attempts to open a session. Default 8 s. */
  readonly reconnectMaxMs: number;
}

/** The defaults. */
export const WORKER_LIMITS: WorkerLimits = {
  prepareMs: 900_000,
  startMs: 120_000,
  stopMarginMs: 10_000,
  stopAttempts: 3,
  removeMs: 60_000,
  retryMs: 1_000,
  retryMaxMs: 30_000,
  pullRetryMs: 10_000,
  pullRetryMaxMs: 300_000,
  openMs: 60_000,
  describeMs: 10_000,
  describeEveryMs: 20_000,
  callMs: 5_000,
  leaveMs: 5_000,
  reportMs: 10_000,
  reportRows: 1_000,
  reconnectMs: 100,
  reconnectMaxMs: 8_000,
};

/** Longest error text that a status carries. */
export const ERROR_TEXT_MAX = 1_000;
