import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Workshop } from '../manager/dispatcher/test-support/workshop.ts';
import { asId, type NodeId, type TaskId } from '../model/ids.ts';
import { isAfter, isTerminal } from '../model/task-state.ts';
import type { SimulatedBehaviour } from '../testing/simulated-behaviour.ts';
import { SimulatedDriver } from '../testing/simulated-driver.ts';
import { aCluster } from '../testing/state-builder.ts';
import type { Agent } from './agent.ts';
import { type DispatcherPort, SessionError } from './dispatcher-port.ts';

const NODE = asId<NodeId>('node-1');
const TASKS = 8;

/** What tasks may do, by slot, all of it in bounded time. */
const BEHAVIOURS: readonly SimulatedBehaviour[] = [
  {},
  { prepareMs: 3_000, startMs: 800, stopMs: 1_500 },
  { runMs: 7_000 },
  { runMs: 4_000, exitCode: 2, prepareMs: 200 },
  { rejectTemporary: 2 },
  { ignoreStop: true },
  { healthy: (age) => age > 2_000 && age < 60_000 },
  { failStart: 'no' },
];

const steps = fc.array(
  fc.oneof(
    {
      weight: 4,
      arbitrary: fc.record({ do: fc.constant('wait' as const), ms: fc.integer({ min: 1, max: 6_000 }) }),
    },
    {
      weight: 4,
      arbitrary: fc.record({
        do: fc.constantFrom('assign' as const, 'shutdown' as const, 'reap' as const, 'kill' as const),
        task: fc.integer({ min: 1, max: TASKS }),
      }),
    },
    { weight: 2, arbitrary: fc.record({ do: fc.constantFrom('lead' as const, 'no leader' as const) }) },
    {
      weight: 2,
      arbitrary: fc.record({ do: fc.constantFrom('crash agent' as const, 'close agent' as const) }),
    },
    { weight: 1, arbitrary: fc.record({ do: fc.constantFrom('hold log' as const, 'refuse log' as const) }) },
  ),
  { minLength: 5, maxLength: 40, size: 'max' },
);
type Step = typeof steps extends fc.Arbitrary<readonly (infer S)[]> ? S : never;

/** One node's worker under a hard life. */
class HardLife {
  readonly shop: Workshop;
  #agent: Agent | undefined;
  #kill = () => {};

  constructor() {
    const built = aCluster().withNode({ state: 'unknown' });
    built.withService({
      name: 'web',
      task: { stopGraceMs: 2_000, health: { test: { kind: 'exec', command: ['x'] }, intervalMs: 2_000 } },
    });
    built.withTasks('web', TASKS - 2, { nodes: ['node-1'], state: 'assigned' }).withPending('web', 2);
    this.shop = new Workshop(built, { behaviour: ({ slot }) => BEHAVIOURS[slot - 1] });
  }

  async start(): Promise<void> {
    const { shop } = this;
    let alive = true;
    const driver = new SimulatedDriver({ host: shop.host });
    const call = <T>(work: () => Promise<T>): Promise<T> =>
      alive ? work() : Promise.reject(new SessionError('unavailable', 'the process is dead'));
    const { port } = shop;
    const dispatcher: DispatcherPort = {
      openSession: (request, signal) => call(() => port.openSession(request, signal)),
      heartbeat: (node, session) => call(() => port.heartbeat(node, session)),
      reportStatus: (node, session, reports) => call(() => port.reportStatus(node, session, reports)),
      confirmEndpoints: (node, session, index) => call(() => port.confirmEndpoints(node, session, index)),
      leave: (node, session) => call(() => port.leave(node, session)),
      closeSession: (node, session) => call(() => port.closeSession(node, session)),
    };
    this.#agent = shop.agent('node-1', { driver, dispatcher });
    this.#kill = () => {
      alive = false;
      void driver.close();
    };
    await this.#agent.start();
  }

  async restart(how: 'crash agent' | 'close agent'): Promise<void> {
    if (how === 'crash agent') this.#kill();
    if (this.#agent) await this.shop.clock.run(this.#agent.close());
    await this.start();
  }

  async step(step: Step): Promise<void> {
    const { shop } = this;
    const id = 'task' in step ? asId<TaskId>(`web-${step.task}`) : asId<TaskId>('');
    const task = shop.store.head.task(id);
    switch (step.do) {
      case 'wait':
        return shop.clock.advance(step.ms);
      case 'assign':
        if (task?.status.state === 'pending') {
          void shop.store
            .write({ type: 'task.assigned', rows: [{ nodeId: NODE, tasks: [id] }] })
            .catch(() => {});
        }
        return;
      case 'shutdown':
        if (task)
          void shop.store.write({ type: 'task.desired', state: 'shutdown', ids: [id] }).catch(() => {});
        return;
      case 'reap':
        if (task && isTerminal(task.status.state)) {
          void shop.store.write({ type: 'task.removed', ids: [id] }).catch(() => {});
        }
        return;
      case 'kill':
        if (shop.host.runtime(id)) shop.host.kill(id);
        return;
      case 'lead':
        shop.lead();
        return;
      case 'no leader':
        shop.dispatcher.close();
        return;
      case 'hold log':
        shop.store.held = true;
        await shop.clock.advance(2_000);
        shop.store.release();
        return;
      case 'refuse log':
        shop.store.held = true;
        await shop.clock.advance(500);
        // A refusal spends the ledger, so with it ends the leadership.
        shop.dispatcher.close();
        shop.store.refuse();
        shop.store.held = false;
        shop.lead();
        return;
      default:
        await this.restart(step.do);
    }
  }

  check(): void {
    for (const runtime of this.shop.host.runtimes())
      expect(runtime.starts, runtime.id).toBeLessThanOrEqual(1);
    for (const [id, states] of this.shop.history) {
      for (const [n, state] of states.entries()) {
        const before = states[n - 1];
        if (before) expect(isAfter(state, before), `${id}: ${states.join(' → ')}`).toBe(true);
      }
    }
  }

  /** When all is calm, what runs is what should. */
  checkCalm(): void {
    const { host, store } = this.shop;
    expect(this.shop.nodeState()).toBe('ready');
    for (const runtime of host.runtimes()) expect(store.committed.task(runtime.id), runtime.id).toBeDefined();
    for (const task of store.committed.tasks()) {
      const runs = host.runtime(task.id)?.state === 'running';
      expect(task.status.state === 'running', `${task.id} is ${task.status.state}, runs: ${runs}`).toBe(runs);
      if (task.nodeId === undefined) continue;
      if (task.desiredState === 'shutdown') expect(isTerminal(task.status.state)).toBe(true);
      else expect(runs || isTerminal(task.status.state), `${task.id} is ${task.status.state}`).toBe(true);
    }
  }
}

describe('an agent under a hard life', () => {
  it('given crashes, lost leaders and a failing log, when calm returns, then what runs is what should, once', async () => {
    await fc.assert(
      fc.asyncProperty(steps, async (plan) => {
        const life = new HardLife();
        await life.start();
        for (const step of plan) {
          await life.step(step);
          life.check();
        }
        life.shop.lead();
        await life.shop.clock.advance(150_000);
        life.check();
        life.checkCalm();
      }),
      { numRuns: 100 },
    );
  });
});
