/**
 * Docker refuses to forward what comes from outside to its bridges, but for ports that it published itself. Its chain
 * `DOCKER-USER` is where others say what is to pass: here, connections to published ports of the cluster.
 */

import { CommandError, type RunCommand } from '../kernel/command.ts';

const TOOLS = ['iptables', 'ip6tables'] as const;

/** Lets translated connections in to a bridge, where Docker guards it. */
export async function letIn(run: RunCommand, bridge: string): Promise<void> {
  for (const tool of TOOLS) {
    if (!(await isDone(run, tool, ['-n', '-L', 'DOCKER-USER']))) continue;
    if (await isDone(run, tool, ['-C', ...rule(bridge)])) continue;
    await run(tool, ['-w', '-I', ...rule(bridge)]);
  }
}

/** Takes that back. */
export async function letInNoMore(run: RunCommand, bridge: string): Promise<void> {
  for (const tool of TOOLS) {
    while (await isDone(run, tool, ['-D', ...rule(bridge)]));
  }
}

function rule(bridge: string): readonly string[] {
  return ['DOCKER-USER', '-o', bridge, '-m', 'conntrack', '--ctstate', 'DNAT', '-j', 'ACCEPT'];
}

/** The tools say no where there is no such rule, no such chain, or no such tool: all of it means that nothing is there. */
async function isDone(run: RunCommand, tool: string, args: readonly string[]): Promise<boolean> {
  try {
    await run(tool, ['-w', ...args]);
    return true;
  } catch (error) {
    if (error instanceof CommandError) return false;
    throw error;
  }
}
