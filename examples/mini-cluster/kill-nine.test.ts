import { randomBytes } from 'node:crypto';
import { mkdtemp, readdir, readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { Fleet, type FleetNode } from './fleet.ts';
import type { Picture } from './picture.ts';
import { programsAt } from './programs.ts';

const prefix = `kill-nine-${randomBytes(4).toString('hex')}`;
const REPLICAS = 4;

let fleet: Fleet | undefined;

afterEach(async () => {
  await fleet?.close({ tasks: 'stop' });
  fleet = undefined;
});

async function openFleet(): Promise<Fleet> {
  fleet = await Fleet.open({
    dir: await mkdtemp(join(tmpdir(), 'skep-mini-cluster-')),
    keep: false,
    managers: 3,
    workers: 2,
    driver: (host, nodes) => ({
      kind: 'process',
      programs: programsAt(host),
      resources: { divideBy: nodes, cpus: 100 },
    }),
  });
  return fleet;
}

/** Resolves once the node is up, as another process than `pid`. */
function back(node: FleetNode, pid: number): Promise<void> {
  return new Promise((resolve) => {
    const stop = node.process.on(() => {
      if (!node.process.isReady || node.process.pid === pid) return;
      stop();
      resolve();
    });
  });
}

/** Applies service after service until told to stop. Each that was acknowledged is on the list. */
function load(target: Fleet): { readonly acknowledged: string[]; stop(): Promise<void> } {
  const acknowledged: string[] = [];
  let isOver = false;
  const running = (async () => {
    while (!isOver) {
      const name = `${prefix}-empty-${acknowledged.length}`;
      await target.services.apply({ name, task: { image: 'skep-hello-worker' }, replicas: 0 });
      acknowledged.push(name);
    }
  })();
  return {
    acknowledged,
    stop: () => {
      isOver = true;
      return running;
    },
  };
}

function statusOf({ services }: Picture, name: string) {
  return services.find(({ service }) => service.spec.name === name)?.status;
}

/** The tasks of a service that this machine runs, by what their processes were told; one task may be two processes. */
async function tasksRunning(service: string): Promise<string[]> {
  const names = new Set<string>();
  for (const pid of await readdir('/proc')) {
    if (!/^\d+$/.test(pid)) continue;
    const environment = await readFile(`/proc/${pid}/environ`, 'utf8').catch(() => '');
    const [, name] = /(?:^|\0)SKEP_TASK_NAME=([^\0]*)/.exec(environment) ?? [];
    if (name?.startsWith(`${service}.`)) names.add(name);
  }
  return [...names].map((name) => name.split('.')[1] ?? '').sort();
}

const roles: readonly [string, (nodes: Fleet) => FleetNode | undefined][] = [
  ['the manager that leads', ({ leader }) => leader],
  [
    'a manager that follows',
    ({ nodes, leader }) => nodes.find((node) => node.role === 'manager' && node !== leader),
  ],
  ['a worker', ({ nodes }) => nodes.find(({ role }) => role === 'worker')],
];

describe('given five nodes as five processes, with services that run and commands that come in', () => {
  it('when any of them is killed twice in a row, then it comes back, nothing acknowledged is lost, and each slot runs once', async () => {
    const cluster = await openFleet();
    const web = `${prefix}-web`;
    await cluster.services.apply({ name: web, task: { image: 'skep-hello-web' }, replicas: REPLICAS });
    await cluster.until((picture) => statusOf(picture, web)?.converged === true);
    const nodeIds = cluster.nodes.map(({ process: { nodeId } }) => nodeId);
    const commands = load(cluster);
    for (const [what, choose] of roles) {
      const before = commands.acknowledged.length;
      for (let time = 0; time < 2; time++) {
        const node = choose(cluster);
        const pid = node?.process.pid;
        if (node === undefined || pid === undefined) throw new Error(`there is no ${what}`);
        const returned = back(node, pid);
        process.kill(pid, 'SIGKILL');
        await returned;
      }
      // Commands were carried out meanwhile.
      await cluster.until(() => commands.acknowledged.length > before);
    }
    await commands.stop();
    await cluster.until((picture) => {
      const ready = picture.nodes.filter(({ status }) => status.state === 'ready');
      const known = new Set(picture.services.map(({ service }) => service.spec.name));
      const isAllKnown = commands.acknowledged.every((name) => known.has(name));
      return (
        ready.length === cluster.nodes.length && isAllKnown && statusOf(picture, web)?.converged === true
      );
    });
    expect(cluster.nodes.map(({ process: { nodeId } }) => nodeId)).toEqual(nodeIds);
    expect(cluster.picture?.nodes).toHaveLength(5);
    const slots = Array.from({ length: REPLICAS }, (_, at) => String(at + 1));
    if (process.platform === 'linux') expect(await tasksRunning(web)).toEqual(slots);
  }, 180_000);
});
