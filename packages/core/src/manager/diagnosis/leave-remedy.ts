/** What lets a task go that has to leave its node, or has been told to stop. */

import type { LeaveReason } from '../orchestrator/drain/leave-reason.ts';

const REMEDIES: Readonly<Record<LeaveReason['code'], string>> = {
  'about-to-stop': 'it is told to stop next',
  'successor-waits': 'another node has room for its successor; a deadline of the drain stops it all the same',
  'successor-starts': 'its successor comes to serve',
  'successor-failed': 'what made its successor fail is mended; a deadline of the drain stops it all the same',
  'disruption-budget': 'more tasks of its service serve, or a higher disruption.maxUnavailable',
  confirmation: 'they confirm, or are waited for long enough',
  'drain-delay': 'the delay passes (drainDelayMs)',
  stopping: 'it ends, or is killed when its grace is over (task.stopGraceMs)',
};

/** What would let it go, in words. */
export function leaveRemedy(code: LeaveReason['code']): string {
  return REMEDIES[code];
}
