/** What the program, the machine and the node are: `/_ping`, `/version`, `/info`, `/system/df`. */

import { availableParallelism, release, totalmem } from 'node:os';
import { arch } from 'node:process';
import type { Membership } from '../membership/membership.ts';
import { API_VERSION, API_VERSION_MIN, versionText } from '../server/api-version.ts';
import type { Route } from '../server/engine-server.ts';
import { type Exchange, ok } from '../server/exchange.ts';
import { machineOf } from '../translate/node-out.ts';
import { clusterInfoOut } from '../translate/swarm-out.ts';
import { VERSION } from '../version.ts';
import type { ApiContext } from './context.ts';

/** Go's names of processors where Node has others. */
const GO_ARCH: Readonly<Record<string, string>> = { x64: 'amd64', ia32: '386' };

/** The routes that tell about the program and the node. */
export function systemRoutes({ membership, clock }: ApiContext): readonly Route[] {
  const ping = (exchange: Exchange) => answerPing(exchange, membership);
  return [
    ['HEAD', '/_ping', ping],
    ['GET', '/_ping', ping],
    ['GET', '/version', () => ok(versionOut())],
    ['GET', '/info', () => ok(infoOut(membership, new Date(clock.now())))],
    ['GET', '/system/df', () => ok(NOTHING_KEPT)],
  ];
}

/** Without an engine there are no images, containers, volumes or builds to count. */
const NOTHING_KEPT = { LayersSize: 0, Images: [], Containers: [], Volumes: [], BuildCache: [] };

function answerPing({ request, response }: Exchange, { standing }: Membership): undefined {
  const isHead = request.method === 'HEAD';
  response.writeHead(200, {
    'Builder-Version': '2',
    'Cache-Control': 'no-cache, no-store, must-revalidate',
    'Content-Type': 'text/plain; charset=utf-8',
    'Content-Length': isHead ? 0 : 2,
    Pragma: 'no-cache',
    Swarm: swarmHeader(standing.kind),
  });
  response.end(isHead ? undefined : 'OK');
  return undefined;
}

function swarmHeader(kind: Membership['standing']['kind']): string {
  return kind === 'manager' || kind === 'worker' ? `active/${kind}` : kind;
}

function versionOut() {
  const architecture = GO_ARCH[arch] ?? arch;
  const about = {
    ApiVersion: versionText(API_VERSION),
    MinAPIVersion: versionText(API_VERSION_MIN),
    Os: 'linux',
    Arch: architecture,
    KernelVersion: release(),
  };
  return {
    Platform: { Name: 'Skep' },
    Components: [
      {
        Name: 'Engine',
        Version: VERSION,
        Details: { ...about, Experimental: 'false', NodeVersion: process.version },
      },
    ],
    Version: VERSION,
    ...about,
    GitCommit: '',
    GoVersion: '',
    BuildTime: '',
  };
}

/** What `docker info` prints of a node without an engine below it. */
function infoOut(membership: Membership, now: Date) {
  const { hostname, driver } = membership;
  return {
    ID: hostname,
    Containers: 0,
    ContainersRunning: 0,
    ContainersPaused: 0,
    ContainersStopped: 0,
    Images: 0,
    Driver: driver,
    DriverStatus: [],
    Plugins: { Volume: [], Network: ['overlay'], Authorization: null, Log: [] },
    MemoryLimit: true,
    SwapLimit: true,
    CpuCfsPeriod: true,
    CpuCfsQuota: true,
    CPUShares: true,
    CPUSet: true,
    PidsLimit: true,
    IPv4Forwarding: true,
    Debug: false,
    OomKillDisable: false,
    SystemTime: now.toISOString(),
    LoggingDriver: 'json-file',
    CgroupDriver: 'none',
    NEventsListener: 0,
    KernelVersion: release(),
    OperatingSystem: 'Skep',
    OSVersion: '',
    OSType: 'linux',
    Architecture: machineOf(GO_ARCH[arch] ?? arch),
    IndexServerAddress: '',
    RegistryConfig: { IndexConfigs: {}, InsecureRegistryCIDRs: [], Mirrors: null },
    NCPU: availableParallelism(),
    MemTotal: totalmem(),
    GenericResources: null,
    DockerRootDir: '',
    HttpProxy: '',
    HttpsProxy: '',
    NoProxy: '',
    Name: hostname,
    Labels: [],
    ExperimentalBuild: false,
    ServerVersion: VERSION,
    DefaultRuntime: driver,
    Swarm: swarmInfoOut(membership),
    LiveRestoreEnabled: false,
    Isolation: '',
    InitBinary: '',
    SecurityOptions: [],
    Warnings: null,
  };
}

/** What `/info` tells of the swarm, with an engine below or without one. */
export function swarmInfoOut({ standing }: Membership) {
  if (standing.kind === 'worker') {
    return {
      NodeID: standing.nodeId,
      NodeAddr: hostOf(standing.advertise),
      LocalNodeState: 'active',
      ControlAvailable: false,
      Error: '',
      RemoteManagers: standing.managers.map((address) => ({ NodeID: '', Addr: address })),
    };
  }
  if (standing.kind !== 'manager') {
    return {
      NodeID: '',
      NodeAddr: '',
      LocalNodeState: standing.kind,
      ControlAvailable: false,
      Error: standing.kind === 'error' ? standing.message : '',
      RemoteManagers: null,
    };
  }
  const { manager } = standing;
  const { nodes } = manager.cluster;
  return {
    NodeID: manager.nodeId,
    NodeAddr: hostOf(manager.advertise),
    LocalNodeState: 'active',
    ControlAvailable: true,
    Error: '',
    RemoteManagers: manager.managers.map(({ nodeId, address }) => ({ NodeID: nodeId, Addr: address })),
    Nodes: nodes.count,
    Managers: nodes.list({ role: 'manager' }).length,
    Cluster: clusterInfoOut(manager),
  };
}

function hostOf(address: string): string {
  const end = address.lastIndexOf(':');
  return address.slice(0, end).replace(/^\[(.*)\]$/, '$1');
}
