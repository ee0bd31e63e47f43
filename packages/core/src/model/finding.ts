/**
 * Why something is not where it should be, as data: a code out of a closed set, words, what would resolve it, and when
 * it goes on by itself. What diagnoses, progress and errors tell of stalls has this form.
 */

/**
 * Every code, and whom it waits for. `itself`: it goes on without anybody, now or at a time. `somebody`: it stays so
 * until somebody, or the world outside the cluster, does something about it.
 */
const FINDINGS = {
  // The cluster.
  /** No manager leads that this member knows of: nothing is decided. */
  'no-leader': 'somebody',
  /** The log takes nothing: a full disk, say. */
  'log-refuses': 'somebody',

  // The service.
  /** A published port is taken, or none is left to be given. */
  'ports-unavailable': 'somebody',
  /** A network has no address to give, or there is no subnet for the network itself. */
  'addresses-unavailable': 'somebody',
  /** Tasks are missing, and are about to be created. */
  creating: 'itself',
  /** There are more tasks than asked for, and some are about to go. */
  'scaling-down': 'itself',
  /** No node may have a task of this global service or job. */
  'no-eligible-node': 'somebody',
  /** Tasks are being replaced, or the last new ones are watched. */
  'update-in-progress': 'itself',
  /** The canaries run, or all new tasks do beside the old ones. */
  'promotion-awaited': 'somebody',
  /** Too many new tasks failed, or somebody paused it. */
  'update-paused': 'somebody',
  'rollback-in-progress': 'itself',
  'rollback-paused': 'somebody',
  /** The metric that decides about the number of its tasks can't be had, so it stays as it is. */
  'metric-lost': 'somebody',
  /** The job runs as many tasks at once as it may. */
  'job-concurrency': 'itself',
  /** The job's newest run failed. */
  'job-failed': 'somebody',
  /** A run waits for tasks of the run before it. */
  'job-waits-for-stopped-run': 'itself',
  /** A node that is to have a task of the job can't be heard just now. */
  'job-waits-for-node': 'somebody',

  // A task that is to run, before it has a node.
  /** The allocator is about to give it what it needs. */
  allocating: 'itself',
  /** The scheduler is about to look at it. */
  scheduling: 'itself',
  /** There is never more than one task of its slot, and another may still be at work. */
  'lease-wait': 'itself',
  /** The scheduler found no node for it. */
  'no-suitable-node': 'somebody',

  /** Others are leaving a node for it, or something comes free there by itself. */
  'room-awaited': 'itself',

  // Its node.
  /** Heartbeats are missing, or a new leader has not heard from it yet. */
  'node-silent': 'itself',
  /** It is down, and the task is about to be replaced, or waited for as the service asks. */
  'node-down': 'itself',
  /** It is down, and keeps its tasks for now, since many nodes are lost at once. */
  'node-kept': 'somebody',
  /** It is no longer in the cluster. */
  'node-gone': 'itself',
  /** It is paused, so it gets no new task in place of the old one. */
  'node-paused': 'somebody',
  /** It is ready, and its agent has no session with the leader. */
  'worker-not-connected': 'somebody',

  // On its way to running.
  /** Its agent is about to take it. */
  accepting: 'itself',
  /** What it needs is fetched and made: its image, say. */
  preparing: 'itself',
  /** Its image could not be fetched. */
  'pull-back-off': 'somebody',
  /** Its agent tries a step again that failed. */
  'step-back-off': 'somebody',
  /** It is being started. */
  starting: 'itself',
  /** It was started, and has not passed its health check yet. */
  'health-check': 'itself',
  /** All that it waited for has come, and it is about to be started. */
  'start-due': 'itself',
  /** It is prepared, and the task that it replaces is about to be stopped. */
  handover: 'itself',
  /** The task before it in its slot may still be at work. */
  'predecessor-stopping': 'itself',
  /** Its predecessor failed: the restart policy's delay. */
  'restart-back-off': 'itself',
  'dependency-missing': 'somebody',
  'dependency-not-started': 'somebody',
  'dependency-not-healthy': 'somebody',
  'dependency-not-completed': 'somebody',
  'dependency-failed': 'somebody',
  'dependency-never-completes': 'somebody',

  // It ended.
  /** Another is about to take its place. */
  'replacement-due': 'itself',
  /** It was restarted as often as its policy allows. */
  'restart-limit': 'somebody',
  /** Its policy wants no other in its place. */
  'restart-policy': 'somebody',

  // It runs from an older spec.
  /** The update comes to it. */
  'update-turn': 'itself',

  // It has to go.
  /** It is about to be told to stop. */
  'about-to-stop': 'itself',
  /** Its successor has found no node. */
  'successor-waits': 'somebody',
  /** Its successor is on the way to running. */
  'successor-starts': 'itself',
  /** Its successor ended, and its restart policy allows no other. */
  'successor-failed': 'somebody',
  /** Its service can't spare it now. */
  'disruption-budget': 'somebody',
  /** Nodes have yet to confirm that they send it nothing any more. */
  confirmation: 'itself',
  /** What was sent to it before is being seen through. */
  'drain-delay': 'itself',
  /** It has its stop signal. */
  stopping: 'itself',
  /** It has ended, or was given up before it had begun, and is about to be forgotten. */
  forgetting: 'itself',
} as const satisfies Readonly<Record<string, 'itself' | 'somebody'>>;

/** Why something is not where it should be. A closed set: a program can go by it. */
export type FindingCode = keyof typeof FINDINGS;

/** All of them, in the order in which they are documented. */
export const FINDING_CODES = Object.keys(FINDINGS) as readonly FindingCode[];

/** One reason why something is not where it should be. */
export interface Finding {
  readonly code: FindingCode;
  /** In words. */
  readonly message: string;
  /** What would resolve it. */
  readonly remedy: string;
  /** When it goes on by itself at the latest; milliseconds since 1970, the leader's clock. Absent: that has no time. */
  readonly retryAt?: number;
}

/** True where it stays so until somebody, or the world outside the cluster, does something about it. */
export function needsSomebody({ code, retryAt }: Pick<Finding, 'code' | 'retryAt'>): boolean {
  return FINDINGS[code] === 'somebody' && retryAt === undefined;
}
