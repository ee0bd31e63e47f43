import { describe, expect, it } from 'vitest';
import { Workshop } from '../manager/dispatcher/test-support/workshop.ts';
import { asId, type NodeId } from '../model/ids.ts';
import type { ClusterSpec } from '../model/other-specs.ts';
import { aCluster, type StateBuilder } from '../testing/state-builder.ts';
import type { DataPlane } from './data-plane.ts';
import type { EndpointsMessage } from './dispatcher-port.ts';

/** A data plane that takes its time, and knows whom it would send traffic to. */
class Plane implements DataPlane {
  readonly targets = new Set<string>();
  /** How often everything was told. */
  complete = 0;
  takesMs = 0;
  fails = false;
  readonly #shop: Workshop;

  constructor(shop: Workshop) {
    this.#shop = shop;
  }

  async apply(message: EndpointsMessage): Promise<void> {
    if (this.takesMs > 0)
      await new Promise<void>((resolve) => this.#shop.clock.setTimer(this.takesMs, resolve));
    if (this.fails) throw new Error('the table is locked');
    if (message.kind === 'complete') {
      this.complete += 1;
      this.targets.clear();
    } else for (const id of message.left) this.targets.delete(id);
    const joined = message.kind === 'complete' ? message.endpoints : message.joined;
    for (const { taskId } of joined) this.targets.add(taskId);
  }
}

interface Wanted {
  readonly ports?: boolean;
  readonly drainDelayMs?: number;
  readonly confirmMs?: number;
}

/** `node-1` with `web-1` and `web-2` at work, and two more nodes for data planes. */
function withWeb({ ports = true, drainDelayMs, confirmMs }: Wanted = {}): StateBuilder {
  const built = aCluster().withNodes(3, () => ({ state: 'unknown' }));
  const spec = built.state.cluster?.spec as ClusterSpec;
  if (confirmMs !== undefined) {
    built.apply({
      type: 'cluster.updated',
      spec: { ...spec, dispatcher: { ...spec.dispatcher, confirmMs } },
    });
  }
  return built
    .withService({
      name: 'web',
      ports: ports ? [{ target: 80 }] : [],
      ...(drainDelayMs === undefined ? {} : { drainDelayMs }),
    })
    .withTasks('web', 2, { nodes: ['node-1'], state: 'assigned' });
}

/** The shop with running tasks, and a data plane at each node named. */
async function running(wanted: Wanted = {}, planeNodes: readonly string[] = []) {
  const shop = new Workshop(withWeb(wanted), { images: { image: { stopMs: 300 } } });
  const planes: Plane[] = [];
  for (const node of planeNodes) {
    const plane = new Plane(shop);
    planes.push(plane);
    await shop.connect(node, { dataPlane: plane });
  }
  const agent = planeNodes.includes('node-1') ? undefined : await shop.connect('node-1');
  await shop.until('web-2', 'running');
  await shop.clock.settle();
  /** How long after being told to stop its stop signal comes. Waits for its end as well. */
  const stop = async (how: () => void, meanwhile: () => Promise<unknown> = () => Promise.resolve()) => {
    const from = shop.clock.monotonic();
    how();
    await meanwhile();
    const signals = () => shop.host.runtimes().find(({ id }) => id === 'web-1')?.stopSignals ?? 0;
    await shop.clock.runUntil(() => signals() > 0);
    const signalled = shop.clock.monotonic() - from;
    await shop.until('web-1', 'shutdown');
    return signalled;
  };
  return { shop, planes, agent, stop };
}

describe('given a task that had traffic, and no node that passes any on', () => {
  it.each<[string, Wanted, number]>([
    ['a service with ports', {}, 2_000],
    ['a service without ports', { ports: false }, 0],
    ['a service with a delay of its own', { drainDelayMs: 500 }, 500],
    ['a service without ports, with a delay', { ports: false, drainDelayMs: 700 }, 700],
    ['a service with ports that wants none', { drainDelayMs: 0 }, 0],
  ])(
    'when a task of %s is told to stop, then its stop signal comes after the drain delay',
    async (_, wanted, delayMs) => {
      const { shop, stop } = await running(wanted);
      expect(await stop(() => shop.desire('web-1', 'shutdown'))).toBe(delayMs);
      expect(shop.task('web-1')?.leaving).toBeUndefined();
      expect(shop.stateOf('web-2')).toBe('running');
    },
  );

  it('when its service is removed, then it drains all the same, for as long as the service said', async () => {
    const { shop, stop } = await running({ drainDelayMs: 900 });
    const { id } = shop.store.head.serviceByName('web') ?? expect.fail('no service');
    expect(await stop(() => void shop.store.write({ type: 'service.removed', id }))).toBe(900);
  });

  it('when it was not running yet, then it is stopped at once', async () => {
    const shop = new Workshop(withWeb(), { images: { image: { prepareMs: 10_000 } } });
    await shop.connect();
    expect(shop.stateOf('web-1')).toBe('preparing');
    shop.desire('web-1', 'shutdown');
    await shop.clock.settle();
    expect(shop.stateOf('web-1')).toBe('shutdown');
  });

  it('when it ends by itself meanwhile, then that is told at once', async () => {
    const { shop } = await running();
    shop.desire('web-1', 'shutdown');
    await shop.clock.advance(100);
    shop.host.kill(shop.task('web-1')?.id ?? expect.fail('no task'), 0);
    await shop.clock.settle();
    expect(shop.stateOf('web-1')).toBe('complete');
  });

  it('when the leader changes meanwhile, then it waits for no more than what is left of the delay', async () => {
    const { shop, stop } = await running();
    const told = () => shop.desire('web-1', 'shutdown');
    const meanwhile = async () => {
      await shop.clock.advance(1_000);
      shop.lead();
    };
    expect(await stop(told, meanwhile)).toBe(2_000);
  });
});

describe('given nodes that pass traffic on', () => {
  it('when a task starts and stops, then each hears of both', async () => {
    const { shop, planes, stop } = await running({}, ['node-2', 'node-3']);
    for (const { targets } of planes) expect([...targets].sort()).toEqual(['web-1', 'web-2']);
    await stop(() => shop.desire('web-1', 'shutdown'));
    for (const { targets, complete } of planes) {
      expect([...targets]).toEqual(['web-2']);
      expect(complete).toBe(1);
    }
  });

  it('when one is slow, then the drain delay begins once it has confirmed', async () => {
    const { shop, planes, stop } = await running({}, ['node-2', 'node-3']);
    if (planes[0]) planes[0].takesMs = 400;
    const told = () => shop.desire('web-1', 'shutdown');
    const meanwhile = async () => {
      await shop.clock.advance(399);
      expect(shop.task('web-1')?.leaving).toMatchObject({ index: expect.any(Number) });
      expect(shop.task('web-1')?.leaving?.releasedAt).toBeUndefined();
    };
    expect(await stop(told, meanwhile)).toBe(2_400);
  });

  it.each([
    [undefined, 3_000],
    [100, 100],
  ])(
    'when one never confirms, and is waited for %s ms, then the task stops all the same, and it is named',
    async (confirmMs, waited) => {
      const { shop, planes, stop } = await running(
        { drainDelayMs: 0, ...(confirmMs === undefined ? {} : { confirmMs }) },
        ['node-2', 'node-3'],
      );
      if (planes[1]) planes[1].takesMs = 1e9;
      expect(await stop(() => shop.desire('web-1', 'shutdown'))).toBe(waited);
      const released = shop.store.transactions
        .flatMap(({ events }) => events)
        .filter(({ type }) => type === 'task.released');
      expect(released).toEqual([{ type: 'task.released', ids: ['web-1'], unconfirmed: ['node-3'] }]);
    },
  );

  it('when one goes down before it confirms, then nobody waits for it any longer', async () => {
    const { shop, planes, stop } = await running({ drainDelayMs: 0, confirmMs: 60_000 }, ['node-2']);
    if (planes[0]) planes[0].takesMs = 1e9;
    const told = () => shop.desire('web-1', 'shutdown');
    const meanwhile = async () => {
      await shop.clock.advance(1_000);
      const ids = [asId<NodeId>('node-2')];
      await shop.clock.run(shop.store.write({ type: 'node.status', state: 'down', message: 'gone', ids }));
    };
    expect(await stop(told, meanwhile)).toBe(1_000);
  });

  it('when the leader changes while one is waited for, then the next leader waits for it anew', async () => {
    const { shop, planes, stop } = await running({ drainDelayMs: 0, confirmMs: 60_000 }, ['node-2']);
    if (planes[0]) planes[0].takesMs = 5_000;
    const told = () => shop.desire('web-1', 'shutdown');
    const took = await stop(told, async () => {
      await shop.clock.advance(1_000);
      shop.lead();
    });
    expect(took).toBeGreaterThanOrEqual(5_000);
    expect(took).toBeLessThan(20_000);
    expect(planes[0]?.targets.has('web-1')).toBe(false);
  });

  it('when what passes it on fails, then it is told everything anew until it takes it in', async () => {
    const { shop, planes, stop } = await running({ drainDelayMs: 0, confirmMs: 60_000 }, ['node-2']);
    const [plane] = planes;
    if (!plane) return expect.fail('no plane');
    plane.fails = true;
    const told = () => shop.desire('web-1', 'shutdown');
    await stop(told, async () => {
      await shop.clock.advance(500);
      plane.fails = false;
    });
    expect(plane).toMatchObject({ complete: 2 });
    expect([...plane.targets]).toEqual(['web-2']);
  });

  it('when hundreds of tasks leave in one transaction, then they wait together and are released together', async () => {
    const built = aCluster()
      .withNodes(2)
      .withService({ name: 'many', ports: [{ target: 80 }] });
    built.withTasks('many', 300, { nodes: ['node-1'], state: 'assigned' });
    const shop = new Workshop(built);
    await shop.connect('node-2', { dataPlane: new Plane(shop) });
    await shop.connect('node-1');
    await shop.until('many-300', 'running');
    const ids = built.tasks('many').map(({ id }) => id);
    await shop.clock.run(shop.store.write({ type: 'task.desired', state: 'shutdown', ids }));
    await shop.until('many-300', 'shutdown');
    const released = shop.store.transactions.flatMap(({ events }) =>
      events.flatMap((event) => (event.type === 'task.released' ? [event.ids.length] : [])),
    );
    expect(released).toEqual([300]);
  });
});

describe('given an agent that leaves', () => {
  it('when it does, then its tasks leave the endpoints of all before they are stopped', async () => {
    const { shop, planes, agent } = await running({ drainDelayMs: 500 }, ['node-2']);
    const [plane] = planes;
    if (!plane || !agent) return expect.fail('no plane');
    plane.takesMs = 200;
    const from = shop.clock.monotonic();
    const closed = agent.close({ drain: true });
    await shop.clock.runUntil(() => shop.nodeState() === 'leaving');
    await shop.clock.runUntil(() => shop.host.runtimes().some(({ stopSignals }) => stopSignals > 0));
    expect([...plane.targets]).toEqual([]);
    expect(shop.clock.monotonic() - from).toBe(700);
    await shop.clock.run(closed);
    expect(shop.task('web-1')?.status).toMatchObject({ state: 'shutdown', cause: 'node-left' });
    await shop.clock.runUntil(() => shop.nodeState() === 'down');
  });

  it('when all others leave, too, and it waits for no traffic to go, then its tasks are stopped at once', async () => {
    const { shop, agent, stop } = await running({ drainDelayMs: 500 });
    expect(await stop(() => void agent?.close({ drain: true, drainDelay: false }))).toBe(0);
    expect(shop.task('web-1')?.status.cause).toBe('node-left');
  });

  it('when no manager answers, then it stops its tasks all the same, after a while', async () => {
    const { shop, agent } = await running({ drainDelayMs: 500 });
    shop.store.held = true;
    const from = shop.clock.monotonic();
    void agent?.close({ drain: true });
    await shop.clock.runUntil(() => shop.host.running().length === 0);
    expect(shop.clock.monotonic() - from).toBe(5_800);
  });

  it('when the leader changes meanwhile, then the next one learns that it leaves and does not count it as ready', async () => {
    const { shop, agent } = await running({ drainDelayMs: 4_000 });
    const closed = agent?.close({ drain: true }) ?? Promise.resolve();
    await shop.clock.runUntil(() => shop.nodeState() === 'leaving');
    shop.lead();
    const seen = new Set<string | undefined>();
    shop.store.onCommitted(() => void seen.add(shop.nodeState()));
    await shop.clock.run(closed);
    expect([...seen]).toEqual(['leaving']);
    await shop.connect('node-1');
    await shop.clock.settle();
    expect(shop.nodeState()).toBe('ready');
  });
});
