/** A network namespace of its own: a machine as far as devices, addresses and packet filters go. */

import { randomBytes } from 'node:crypto';
import { type RunCommand, runCommand } from '../kernel/command.ts';
import { AS_ROOT } from './kernel-requirements.ts';

/** A namespace. It is gone once disposed of, with all that was made in it. */
export interface NetworkNamespace extends AsyncDisposable {
  readonly name: string;
  /** Runs a command in it. */
  readonly run: RunCommand;
}

/** Runs a command as root. */
export const asRoot: RunCommand = (command, args, options) => {
  const [first = command, ...rest] = [...AS_ROOT, command, ...args];
  return runCommand(first, rest, options);
};

/** Makes one, with its loopback device up. */
export async function networkNamespace(label = 'test'): Promise<NetworkNamespace> {
  const name = `skep-${label}-${randomBytes(4).toString('hex')}`;
  await asRoot('ip', ['netns', 'add', name]);
  // Not `ip netns exec`, which hides the control groups.
  const run: RunCommand = (command, args, options) =>
    asRoot('nsenter', [`--net=/run/netns/${name}`, '--', command, ...args], options);
  await run('ip', ['link', 'set', 'lo', 'up']);
  return {
    name,
    run,
    [Symbol.asyncDispose]: async () => {
      await asRoot('ip', ['netns', 'del', name]);
    },
  };
}
