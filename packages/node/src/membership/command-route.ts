/** Commands of users, from a manager that follows to the one that leads. */

import { isSkepError, OutcomeUnknownError, UnavailableError } from '@skep/core';
import type { CommandForwarder, CommandRequest, CommandResponse } from '@skep/core/member';
import { isNodeError, type NodeErrorCode } from '../errors.ts';
import type { LeaderChannel } from '../rpc/leader-route.ts';
import type { RpcServer } from '../rpc/server.ts';
import type { ManagerContext } from './manager-context.ts';
import { carryOutCommand } from './methods.ts';

/** What leaves it open whether the leader has carried a command out. */
const UNKNOWN: ReadonlySet<NodeErrorCode> = new Set([
  'CONNECTION_LOST',
  'DEADLINE_EXCEEDED',
  'CANCELLED',
  'CLOSED',
  'INTERNAL',
]);

/** Answers commands that other managers send. */
export function serveCommands(server: RpcServer, { cluster }: Pick<ManagerContext, 'cluster'>): void {
  server.serve(carryOutCommand, (request, { signal }) => cluster.carryOut(request, signal));
}

/** Sends commands to the leader. */
export function commandForwarder(leader: LeaderChannel): CommandForwarder {
  return {
    async forward(request: CommandRequest, signal: AbortSignal): Promise<CommandResponse> {
      try {
        const channel = await leader.channel(signal);
        return await channel.unary(carryOutCommand, { ...request, args: [...request.args] }, { signal });
      } catch (error) {
        if (isSkepError(error) || !isNodeError(error)) throw error;
        const { code, message } = error;
        if (UNKNOWN.has(code)) throw new OutcomeUnknownError(request.options.commandId, message);
        // Of the leader of before, of one that is not reached, or of this one, which leads by now: ask again.
        throw new UnavailableError('not-leader', message, { cause: error });
      }
    },
  };
}
