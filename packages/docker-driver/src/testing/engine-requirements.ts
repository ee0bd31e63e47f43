/** What a private engine needs of the machine, looked for before one is tried. */

import { execFileSync } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { platform } from 'node:os';
import { delimiter, join } from 'node:path';

const PACKAGES: Readonly<Record<string, string>> = {
  dockerd: 'docker.io',
  containerd: 'docker.io',
  tini: 'docker.io',
  busybox: 'busybox-static',
  unshare: 'util-linux',
};

/** Where programs are looked for: root's directories too, which a user's PATH may lack. */
export const ENGINE_PATH = [
  ...(process.env['PATH'] ?? '').split(delimiter),
  '/usr/local/sbin',
  '/usr/sbin',
  '/sbin',
]
  .filter((directory) => directory !== '')
  .join(delimiter);

/** What to put before a command so that it runs as root: nothing, or sudo. */
export const AS_ROOT: readonly string[] = process.getuid?.() === 0 ? [] : ['sudo', '--non-interactive'];

/** The full path of a program, if there is one. */
export function findProgram(name: string): string | undefined {
  return ENGINE_PATH.split(delimiter)
    .map((directory) => join(directory, name))
    .find((path) => {
      try {
        accessSync(path, constants.X_OK);
        return true;
      } catch {
        return false;
      }
    });
}

/**
 * Why no private engine can be started here, and how to get what is missing; undefined when one can.
 *
 * @throws Error with the same words where CI is set: there a missing engine is a failure.
 */
export function engineMissing(): string | undefined {
  const reason = missing();
  if (reason !== undefined && process.env['CI'] === 'true') throw new Error(reason);
  return reason;
}

function missing(): string | undefined {
  if (platform() !== 'linux') return 'a private Docker Engine can be started on Linux only';
  const absent = Object.keys(PACKAGES).filter((name) => findProgram(name) === undefined);
  if (absent.length > 0) {
    const packages = [...new Set(absent.map((name) => PACKAGES[name]))].join(' ');
    return `no Docker Engine to test with: ${absent.join(', ')} not found (Debian: apt-get install ${packages})`;
  }
  try {
    const [command = 'true', ...args] = [...AS_ROOT, 'true'];
    execFileSync(command, args, { stdio: 'ignore' });
    return undefined;
  } catch {
    return 'a Docker Engine is started by root only: run the tests as root, or let sudo ask no password';
  }
}
