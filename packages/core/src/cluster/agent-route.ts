/** The way from any member to the agent of a node: the member that leads has its session. */

import { PreconditionError } from '../errors.ts';
import type { NodeId } from '../model/ids.ts';
import type { WorkerCalls } from '../worker/dispatcher-port.ts';
import type { Control } from './control.ts';

/** Asks the member that leads to ask a node's agent. */
export type AgentForwarder = (nodeId: NodeId) => WorkerCalls;

/**
 * What may be asked of a node's agent now.
 *
 * @throws PreconditionError if the node has no session; without a forwarder, UnavailableError if another member leads.
 */
export async function agentOf(
  { manager }: Pick<Control, 'manager'>,
  forwarder: AgentForwarder | undefined,
  nodeId: NodeId,
  signal: AbortSignal,
): Promise<WorkerCalls> {
  const leading =
    forwarder === undefined ? await manager.whenLeading(signal) : await manager.whenServing(signal);
  if (leading === undefined && forwarder !== undefined) return forwarder(nodeId);
  const calls = leading?.dispatcher.worker(nodeId);
  if (calls === undefined) throw new PreconditionError(`node ${nodeId} is not connected now`);
  return calls;
}
