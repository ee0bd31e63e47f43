/** How far an update of a service has come, as the state keeps it. */

/**
 * Where an update of a service stands.
 *
 * - `updating`: slots are being replaced, or the last ones are watched still.
 * - `waiting`: its canaries run, or all tasks beside the old ones do; it goes on when it is promoted.
 * - `paused`: too many tasks failed, or somebody paused it; it goes on when it is resumed or the service changed.
 * - `completed`: every slot is as the spec says.
 * - `rollback_started`, `rollback_paused`, `rollback_completed`: the same on the way back.
 */
export type UpdateState =
  | 'updating'
  | 'waiting'
  | 'paused'
  | 'completed'
  | 'rollback_started'
  | 'rollback_paused'
  | 'rollback_completed';

/** How far an update has come. Written by the orchestrators, and by users' commands on it. Times are the leader's. */
export interface UpdateStatus {
  readonly state: UpdateState;
  /** Milliseconds since 1970. */
  readonly startedAt: number;
  readonly completedAt?: number;
  /** Why it is so, in words. */
  readonly message: string;
  /** Slots that were to be replaced when it began. */
  readonly slots: number;
  /** New tasks that failed: they never ran, or ended while they were watched. */
  readonly failures: number;
  /** While `waiting`: since when. Milliseconds since 1970. */
  readonly waitingSince?: number;
  /** It goes on beyond its canaries, or traffic was switched. */
  readonly promoted?: true;
  /** Blue/green: tasks of spec versions from this one on, before `heldUntil`, get no traffic. */
  readonly holdsBack?: number;
  /** Absent: there is no end. */
  readonly heldUntil?: number;
  /** Its slots are not counted yet: it took the place of one whose tasks get no traffic, and must get none still. */
  readonly uncounted?: true;
  /** Blue/green: only tasks of this spec version get traffic. */
  readonly servesOnly?: number;
}
