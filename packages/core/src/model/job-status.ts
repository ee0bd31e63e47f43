/** How far a job has come: its runs, those that went wrong and those that were missed. */

/** One run of a job. */
export interface JobRun {
  /** Counts a job's runs, from 1. Tasks carry that of the run that they are of. */
  readonly iteration: number;
  /** When it began; milliseconds since 1970, the leader's clock. */
  readonly startedAt: number;
  /** When it was due by the schedule. Absent: a user began it, by creating or changing the service. */
  readonly dueAt?: number;
}

/** A run that has ended. */
export interface EndedJobRun extends JobRun {
  readonly endedAt: number;
  /** `failed`: a task failed, and its restart policy allows no more. `stopped`: another run took its place. */
  readonly outcome: 'completed' | 'failed' | 'stopped';
  /** What failed, in words. */
  readonly message?: string;
}

/** Due times at which no run began. */
export interface MissedRuns {
  /** The last of them. */
  readonly dueAt: number;
  /** How many there were at once; at most 100 are told apart. */
  readonly count: number;
  /** `late`: nobody led the cluster then. `overlap`: a run was going on. */
  readonly reason: 'late' | 'overlap';
}

/** How far a job has come. */
export interface JobStatus {
  /** Number of its newest run; 0: there was none yet. */
  readonly iteration: number;
  /** When the newest run began. */
  readonly lastExecution?: number;
  /** Runs that go on, oldest first. More than one only where runs may overlap. */
  readonly active: readonly JobRun[];
  /** Runs that ended, oldest first: the last {@link JOB_RUNS_KEPT}. */
  readonly ended: readonly EndedJobRun[];
  /** Of a schedule: it has been decided about all due times up to this one. So none fires twice, and none is forgotten. */
  readonly decidedUntil?: number;
  /** The last time that runs were missed. */
  readonly missed?: MissedRuns;
}

/** Ended runs that a job keeps in sight. */
export const JOB_RUNS_KEPT = 10;
