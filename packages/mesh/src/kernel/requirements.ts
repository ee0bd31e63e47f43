/** What the kernel's data plane needs of the machine, looked for before anything is made. */

import type { MeshProblem } from '../data-plane.ts';
import type { RunCommand } from './command.ts';

/** Tools, what Debian calls their packages, and how to ask each whether it is there. */
const TOOLS = [
  { tool: 'nft', from: 'nftables', args: ['--version'] },
  { tool: 'ip', from: 'iproute2', args: ['-Version'] },
  { tool: 'bridge', from: 'iproute2', args: ['-Version'] },
  { tool: 'sysctl', from: 'procps', args: ['--version'] },
] as const;

/** @returns why the kernel can't be used here, and what to do about it; empty: it can */
export async function missingRequirements(run: RunCommand): Promise<readonly MeshProblem[]> {
  const problem = (code: string, message: string): MeshProblem => ({
    subject: { kind: 'node' },
    code,
    message,
  });
  const absent = await Promise.all(
    TOOLS.map(async ({ tool, from, args }) => ((await answers(run, tool, args)) ? [] : [{ tool, from }])),
  );
  const missing = absent.flat();
  if (missing.length > 0) {
    const packages = [...new Set(missing.map(({ from }) => from))].join(' ');
    const tools = missing.map(({ tool }) => tool).join(', ');
    return [
      problem(
        'tool-missing',
        `the kernel's data plane needs ${tools} (Debian: apt-get install ${packages}); or use the one in userspace`,
      ),
    ];
  }
  // Listing needs the privilege that changing does.
  if (!(await answers(run, 'nft', ['list', 'tables'])))
    return [
      problem(
        'no-privileges',
        "the kernel's data plane changes packet filters and devices: run the node as root, or with the capability " +
          'NET_ADMIN; or use the data plane in userspace',
      ),
    ];
  return [];
}

function answers(run: RunCommand, tool: string, args: readonly string[]): Promise<boolean> {
  return run(tool, args).then(
    () => true,
    () => false,
  );
}
