/** Pure: the container that a task is to be, in the words of the engine's API. */

import { type DriverContext, type DriverNetwork, environmentOf, type RuntimeTask } from '@skep/core/driver';
import type { ContainerCreateOptions, HostConfig } from 'dockerode';
import { endpointConfig, networkName } from './engine-networks.ts';
import { ownLabels, taskLabels } from './labels.ts';
import type { DockerDriverOptions } from './options.ts';

/** What beside the task decides about its container. */
export interface ContainerContext {
  readonly node: Pick<DriverContext, 'clusterId' | 'nodeId' | 'hostname'>;
  readonly options: DockerDriverOptions;
  /** Where the task's secrets and configs are, in the order of the task. */
  readonly filePaths: readonly string[];
  /** Networks of the task's attachments, in their order. Empty: attachments mean nothing on this node. */
  readonly networks: readonly DriverNetwork[];
}

/** Where secrets are seen, unless their target is a path. */
const SECRETS_DIR = '/run/secrets';
/** Weight of one whole processor, when there are too few. */
const CPU_SHARES = 1024;
const CPU_SHARES_MIN = 2;
/** How many resolvers are asked, one after the other (resolv.conf). */
const RESOLVERS_MAX = 3;

/** Builds it. The container's name is the task's. */
export function containerSpec(task: RuntimeTask, context: ContainerContext): ContainerCreateOptions {
  const { spec } = task;
  const { node } = context;
  return {
    name: task.name,
    Image: spec.image ?? '',
    Env: environment(task, node),
    Labels: taskLabels(task, node),
    Tty: spec.tty,
    StopTimeout: graceSeconds(spec.stopGraceMs),
    ExposedPorts: Object.fromEntries(task.ports.map((port) => [portKey(port), {}])),
    ...(spec.command && { Entrypoint: [...spec.command] }),
    ...(spec.args && { Cmd: [...spec.args] }),
    ...(spec.dir !== undefined && { WorkingDir: spec.dir }),
    ...(spec.user !== undefined && { User: spec.user }),
    ...(spec.hostname !== undefined && { Hostname: spec.hostname }),
    ...(spec.stopSignal !== undefined && { StopSignal: spec.stopSignal }),
    // A probe of the spec is the agent's; beside it, or where it is turned off, the image's own is not run.
    ...(spec.health !== undefined && { Healthcheck: { Test: ['NONE'] } }),
    HostConfig: hostConfig(task, context),
    ...firstNetwork(task, context),
  };
}

/** An engine older than 25 takes one network with the container; the others are connected after. */
function firstNetwork({ attachments }: RuntimeTask, { networks }: ContainerContext) {
  const first = networks.length === 0 ? undefined : attachments?.[0];
  if (first === undefined) return {};
  return { NetworkingConfig: { EndpointsConfig: { [networkName(first.networkId)]: endpointConfig(first) } } };
}

/** The engine counts a grace in whole seconds. */
export function graceSeconds(graceMs: number): number {
  return Math.ceil(graceMs / 1000);
}

/** A port as the engine writes it: `80/tcp`. */
export function portKey({
  target,
  protocol,
}: {
  readonly target: number;
  readonly protocol: string;
}): string {
  return `${target}/${protocol}`;
}

function environment(task: RuntimeTask, node: ContainerContext['node']): string[] {
  return Object.entries({ ...task.spec.env, ...environmentOf(task, node) }).map(
    ([name, value]) => `${name}=${value}`,
  );
}

function hostConfig(task: RuntimeTask, context: ContainerContext): HostConfig {
  const { spec } = task;
  const { options } = context;
  const { limits, reservations } = spec.resources;
  const init = spec.init ?? options.init;
  const logDriver = spec.logDriver ?? options.logDriver;
  const { cpus } = reservations;
  return {
    RestartPolicy: { Name: 'no' },
    ReadonlyRootfs: spec.readOnly,
    Mounts: [...mounts(task, context), ...fileMounts(task, context)],
    PortBindings: portBindings(task, options),
    ...network(context),
    ...(limits.cpus !== undefined && { NanoCpus: Math.round(limits.cpus * 1e9) }),
    ...(limits.memoryBytes !== undefined && { Memory: limits.memoryBytes }),
    ...(limits.pids !== undefined && { PidsLimit: limits.pids }),
    ...(cpus !== undefined && { CpuShares: Math.max(CPU_SHARES_MIN, Math.round(cpus * CPU_SHARES)) }),
    ...(reservations.memoryBytes !== undefined && { MemoryReservation: reservations.memoryBytes }),
    ...(init !== undefined && { Init: init }),
    ...(spec.ulimits && {
      Ulimits: Object.entries(spec.ulimits).map(([Name, { soft, hard }]) => ({
        Name,
        Soft: soft,
        Hard: hard,
      })),
    }),
    ...(spec.sysctls && { Sysctls: { ...spec.sysctls } }),
    ...(spec.capabilityAdd && { CapAdd: [...spec.capabilityAdd] }),
    ...(spec.capabilityDrop && { CapDrop: [...spec.capabilityDrop] }),
    ...(spec.privileged === true && { Privileged: true }),
    ...(spec.devices && {
      Devices: spec.devices.map(({ source, target = source, permissions }) => ({
        PathOnHost: source,
        PathInContainer: target,
        CgroupPermissions: permissions,
      })),
    }),
    ...(logDriver && { LogConfig: { Type: logDriver.name, Config: { ...logDriver.options } } }),
  };
}

function network({ networks, options }: ContainerContext): Pick<HostConfig, 'NetworkMode' | 'Dns'> {
  const [first] = networks;
  if (first === undefined) return options.network === undefined ? {} : { NetworkMode: options.network };
  const resolvers = networks.flatMap((each) => each.resolvers);
  return {
    NetworkMode: networkName(first.id),
    // Of each family one is enough, and an engine hands on three at most.
    ...(resolvers.length > 0 && { Dns: resolvers.slice(0, RESOLVERS_MAX) }),
  };
}

type Mounts = NonNullable<HostConfig['Mounts']>;

/** A volume that is made on the way carries the cluster's and the node's labels. It stays when the task goes. */
function mounts({ spec }: RuntimeTask, { node }: ContainerContext): Mounts {
  return spec.mounts.map(({ type, source, target, readOnly }) => ({
    Type: type,
    Source: source ?? '',
    Target: target,
    ReadOnly: readOnly,
    ...(type === 'volume' && {
      VolumeOptions: {
        NoCopy: false,
        Labels: { ...ownLabels(node) },
        DriverConfig: { Name: '', Options: {} },
      },
    }),
  }));
}

function fileMounts({ files }: RuntimeTask, { filePaths }: ContainerContext): Mounts {
  return files.map(({ kind, target }, index) => ({
    Type: 'bind',
    Source: filePaths[index] ?? '',
    Target: target.startsWith('/') ? target : kind === 'secret' ? `${SECRETS_DIR}/${target}` : `/${target}`,
    ReadOnly: true,
  }));
}

/** Host mode: the published port itself. Ingress mode: one that the engine picks; the cluster's mesh leads to it. */
function portBindings(
  { ports }: RuntimeTask,
  { publishAddress }: DockerDriverOptions,
): NonNullable<HostConfig['PortBindings']> {
  const bindings: Record<string, { HostPort: string; HostIp?: string }[]> = {};
  for (const port of ports) {
    const key = portKey(port);
    const isFixed = port.mode === 'host' && port.published !== undefined;
    const known = bindings[key] ?? [];
    if (!isFixed && known.length > 0) continue;
    bindings[key] = [
      ...known,
      {
        HostPort: isFixed ? String(port.published) : '',
        ...(publishAddress !== undefined && { HostIp: publishAddress }),
      },
    ];
  }
  return bindings;
}
