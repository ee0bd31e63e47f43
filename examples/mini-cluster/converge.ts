/** Waiting for a stack to run. */

import type { ServiceStatus } from '@skep/core';
import type { Stack } from '@skep/stack';
import type { Fleet } from './fleet.ts';
import type { Picture } from './picture.ts';

/** What became of waiting for a stack. */
export interface Convergence {
  readonly converged: boolean;
  /** Why not, service by service. */
  readonly reasons: readonly string[];
}

/** Waits until every service of the stack has converged, or tells why it has not. @throws the signal's reason */
export async function converge(
  fleet: Fleet,
  stack: Pick<Stack, 'services'>,
  options: { readonly timeout: number; readonly signal: AbortSignal },
): Promise<Convergence> {
  const timeout = AbortSignal.timeout(options.timeout);
  const names = stack.services.map(({ name }) => name);
  try {
    const either = AbortSignal.any([timeout, options.signal]);
    await fleet.until((picture) => names.every((name) => statusOf(picture, name)?.converged), either);
    return { converged: true, reasons: [] };
  } catch (error) {
    if (!timeout.aborted || options.signal.aborted) throw error;
    const unmet = names.flatMap((name) => reasonOf(name, fleet.picture && statusOf(fleet.picture, name)));
    return { converged: false, reasons: unmet };
  }
}

function statusOf({ services }: Picture, name: string): ServiceStatus | undefined {
  return services.find(({ service }) => service.spec.name === name)?.status;
}

function reasonOf(name: string, status: ServiceStatus | undefined): string[] {
  if (status === undefined) return [`${name}: no manager tells of it`];
  if (status.converged) return [];
  const why = status.reasons.length === 0 ? 'it needs more time' : status.reasons.join('; ');
  return [`${name}: ${status.running} of ${status.desired} tasks run: ${why}`];
}
