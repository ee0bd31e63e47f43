/** Pure: a node as its engine describes it. */

import type { NodeDescription } from '@skep/core';
import type { DockerDriverOptions } from './options.ts';

/** The part of the engine's answer that is read. */
export interface EngineInfo {
  readonly NCPU: number;
  readonly MemTotal: number;
  readonly OSType: string;
  readonly Architecture: string;
  readonly ServerVersion: string;
  readonly Labels?: readonly string[] | null;
  readonly Plugins?: Readonly<Record<string, readonly string[] | null>>;
  readonly CpuCfsQuota?: boolean;
  readonly MemoryLimit?: boolean;
  readonly PidsLimit?: boolean;
}

/** Names of architectures as `uname` has them, where those of images and constraints differ. */
const ARCHITECTURES: Readonly<Record<string, string>> = {
  x86_64: 'amd64',
  aarch64: 'arm64',
  armv7l: 'arm',
  armv6l: 'arm',
  i386: '386',
  i686: '386',
};

/** Describes it. */
export function nodeDescription(
  info: EngineInfo,
  hostname: string,
  { resources = {} }: Pick<DockerDriverOptions, 'resources'>,
): NodeDescription {
  const divideBy = resources.divideBy ?? 1;
  return {
    hostname,
    platform: { os: info.OSType, architecture: ARCHITECTURES[info.Architecture] ?? info.Architecture },
    resources: {
      cpus: resources.cpus ?? info.NCPU / divideBy,
      memoryBytes: resources.memoryBytes ?? Math.floor(info.MemTotal / divideBy),
      generic: resources.generic ?? {},
    },
    engine: {
      driver: 'docker',
      version: info.ServerVersion,
      labels: Object.fromEntries((info.Labels ?? []).map(pairOf)),
      plugins: Object.entries(info.Plugins ?? {})
        .flatMap(([type, names]) => (names ?? []).map((name) => `${type}/${name}`))
        .sort(),
    },
    capabilities: {
      exec: true,
      interactive: 'terminal',
      stats: true,
      limits: {
        cpus: info.CpuCfsQuota === true,
        memory: info.MemoryLimit === true,
        pids: info.PidsLimit === true,
      },
    },
  };
}

function pairOf(label: string): [string, string] {
  const equals = label.indexOf('=');
  return equals < 0 ? [label, ''] : [label.slice(0, equals), label.slice(equals + 1)];
}
