/**
 * Lets containers call themselves. Where the kernel translates an address on a bridge, it sends the packet on by that
 * same bridge, which does not give it back to the port that it came from unless the port is told to (hairpin mode). So
 * whenever a port appears on one of our bridges, it is told.
 */

import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { CommandError, type RunCommand } from '../kernel/command.ts';
import { BRIDGE_PREFIX, VXLAN_PREFIX } from '../kernel/names.ts';

/** Starts a tool that writes a line for each thing that happens. @returns what ends it */
export type WatchCommand = (
  command: string,
  args: readonly string[],
  onLine: (line: string) => void,
) => () => void;

/** Starts tools on this machine. One that can't be started writes nothing. */
export const watchCommand: WatchCommand = (command, args, onLine) => {
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'ignore'] });
  child.on('error', () => {});
  child.unref();
  const lines = createInterface({ input: child.stdout });
  lines.on('line', onLine);
  return () => {
    lines.close();
    child.kill('SIGKILL');
  };
};

/** A port as `ip -o link` tells of it: `7: veth1@if6: <…> … master skb-0123456789 state …`. */
const PORT = new RegExp(`^\\d+: ([^:@]+)[@:].* master (${BRIDGE_PREFIX}\\w+) `);

/** Tells ports of bridges to give packets back, those that there are and those to come. */
export class PortWatch {
  readonly #run: RunCommand;
  readonly #end: () => void;
  readonly #told = new Set<string>();

  constructor(run: RunCommand, watch: WatchCommand) {
    this.#run = run;
    this.#end = watch('ip', ['-o', 'monitor', 'link'], (line) => {
      if (line.startsWith('Deleted ')) this.#told.delete(/^Deleted \d+: ([^:@]+)/.exec(line)?.[1] ?? '');
      else void this.#look(line);
    });
  }

  /** Looks at all ports, for what was missed. @throws CommandError */
  async verify(): Promise<void> {
    this.#told.clear();
    const listed = await this.#run('ip', ['-o', 'link', 'show']);
    for (const line of listed.split('\n')) await this.#look(line);
  }

  close(): void {
    this.#end();
  }

  async #look(line: string): Promise<void> {
    const port = PORT.exec(line)?.[1];
    if (port === undefined || port.startsWith(VXLAN_PREFIX) || this.#told.has(port)) return;
    this.#told.add(port);
    await this.#run('bridge', ['link', 'set', 'dev', port, 'hairpin', 'on']).catch((error: unknown) => {
      this.#told.delete(port);
      // It is gone again.
      if (!(error instanceof CommandError)) throw error;
    });
  }
}
