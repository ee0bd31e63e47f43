/** What tests of the kernel's data plane need of the machine, looked for before anything is made. */

import { execFileSync } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { platform } from 'node:os';
import { delimiter, join } from 'node:path';

const PACKAGES: Readonly<Record<string, string>> = {
  nft: 'nftables',
  ip: 'iproute2',
  bridge: 'iproute2',
  nsenter: 'util-linux',
  'wireguard-go': 'wireguard-go',
  wg: 'wireguard-tools',
  tcpdump: 'tcpdump',
  dockerd: 'docker.io',
  busybox: 'busybox-static',
};

/** Root's directories, too, which a user's PATH may lack. */
const DIRECTORIES = [...(process.env['PATH'] ?? '').split(delimiter), '/usr/sbin', '/sbin'];

/** What to put before a command so that it runs as root: nothing, or sudo. */
export const AS_ROOT: readonly string[] = process.getuid?.() === 0 ? [] : ['sudo', '--non-interactive'];

/**
 * Why the kernel's data plane can't be tested here with these tools, and how to get what is missing; undefined when it
 * can.
 *
 * @throws Error with the same words where CI is set: there a missing part is a failure.
 */
export function kernelMissing(...tools: readonly string[]): string | undefined {
  const reason = missing(tools);
  if (reason !== undefined && process.env['CI'] === 'true') throw new Error(reason);
  return reason;
}

function missing(tools: readonly string[]): string | undefined {
  if (platform() !== 'linux') return "the kernel's data plane is for Linux only";
  const absent = tools.filter((tool) => !isThere(tool));
  if (absent.length > 0) {
    const packages = [...new Set(absent.map((tool) => PACKAGES[tool] ?? tool))].join(' ');
    return `no kernel data plane to test: ${absent.join(', ')} not found (Debian: apt-get install ${packages})`;
  }
  try {
    const [command = 'unshare', ...args] = [...AS_ROOT, 'unshare', '--net', 'true'];
    execFileSync(command, args, { stdio: 'ignore' });
    return undefined;
  } catch {
    return "the kernel's data plane is root's, in network namespaces: run the tests as root, or let sudo ask no password";
  }
}

function isThere(tool: string): boolean {
  return DIRECTORIES.some((directory) => {
    try {
      accessSync(join(directory, tool), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}
