/** Why the update of a service has not come to its end, and why a task of an older spec still runs. Pure. */

import type { Finding } from '../../model/finding.ts';
import type { Node, Service } from '../../model/objects.ts';
import { isGreenHeldBack, isUnderWay } from '../../state/update-standing.ts';
import { policyInForce } from '../orchestrator/updater/update-failure.ts';

/** How the update of a service stands, where it is not at its end. */
export function updateFinding(service: Service): Finding | undefined {
  const { updateStatus, spec } = service;
  if (!updateStatus) return undefined;
  const { state, message, waitingSince = 0 } = updateStatus;
  switch (state) {
    case 'updating':
      return {
        code: 'update-in-progress',
        message,
        remedy: 'its slots are replaced, and the new tasks stay up',
      };
    case 'rollback_started':
      return {
        code: 'rollback-in-progress',
        message,
        remedy: 'its slots are replaced, and the tasks stay up',
      };
    case 'paused':
      return {
        code: 'update-paused',
        message,
        remedy: 'update the service to what works, roll it back, or resume the update (resumeUpdate)',
      };
    case 'rollback_paused':
      return {
        code: 'rollback-paused',
        message,
        remedy: 'update the service to what works, or resume the rollback (resumeUpdate)',
      };
    case 'waiting': {
      const { canary, blueGreen } = spec.update;
      const { promoteAfterMs } = (isGreenHeldBack(service) ? blueGreen : canary) ?? {};
      const waits: Finding = {
        code: 'promotion-awaited',
        message,
        remedy: 'promote the update, or abort it',
      };
      return promoteAfterMs === undefined ? waits : { ...waits, retryAt: waitingSince + promoteAfterMs };
    }
    case 'completed':
    case 'rollback_completed':
      return undefined;
  }
}

/** Why a task of an older spec has not been replaced. */
export function outdatedFinding(service: Service, node: Node | undefined): Finding {
  if (service.spec.mode === 'global' && node?.spec.availability === 'pause') {
    return {
      code: 'node-paused',
      message: 'task is of an older spec, and its node is paused, so it gets no new one',
      remedy: 'the node is active again',
    };
  }
  const update = updateFinding(service);
  if (update && !isGoingOn(service))
    return { ...update, message: `task is of an older spec: ${update.message}` };
  const { parallelism, delayMs } = policyInForce(service);
  const pace = parallelism === 0 ? 'all at once' : `${parallelism} at a time`;
  return {
    code: 'update-turn',
    message: `task is of an older spec, and slots are replaced ${pace}${delayMs > 0 ? `, ${delayMs} ms apart` : ''}`,
    remedy: 'the update comes to it',
  };
}

function isGoingOn({ updateStatus }: Service): boolean {
  return isUnderWay(updateStatus) && updateStatus.state !== 'waiting';
}
