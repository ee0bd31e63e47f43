import { describe, expect, test } from 'vitest';
import type { ClusterEvent } from '../events/event.ts';
import { asId, type ServiceId } from '../model/ids.ts';
import type { TaskStatus } from '../model/objects.ts';
import type { LogFields, Logger } from '../runtime/logger.ts';
import { aLedger, label, labelled, labelsOf } from '../testing/a-ledger.ts';
import { aCluster } from '../testing/state-builder.ts';
import { type ControlLoop, type Decision, NOTHING } from './control-loop.ts';
import { LoopRunner, RECOVER_MS } from './loop-runner.ts';
import { createReplicatedOrchestrator } from './orchestrator/replicated.ts';

/** A loop that does what the test says and notes what it was asked. */
class ScriptedLoop implements ControlLoop {
  readonly name: string;
  readonly heard: string[] = [];
  readonly decideAs: ControlLoop['decide'];
  failure: string | undefined;
  failIn: 'begin' | 'observe' | 'decide' = 'decide';

  constructor(decideAs: ControlLoop['decide'] = () => NOTHING, name = 'scripted') {
    this.decideAs = decideAs;
    this.name = name;
  }

  begin: ControlLoop['begin'] = (state) => this.#note('begin', state.index);

  observe: ControlLoop['observe'] = (changes) => this.#note('observe', changes.index);

  decide: ControlLoop['decide'] = (state, context) => {
    this.#note('decide', state.index);
    return this.decideAs(state, context);
  };

  #note(what: 'begin' | 'observe' | 'decide', index: number): void {
    this.heard.push(`${what} ${index}`);
    if (this.failure !== undefined && this.failIn === what) throw new Error(this.failure);
  }
}

class NotedLogger implements Logger {
  readonly errors: LogFields[] = [];
  debug(): void {}
  info(): void {}
  warn(): void {}
  error(fields: LogFields): void {
    this.errors.push(fields);
  }
  child(): Logger {
    return this;
  }
}

async function aRunner(...loops: ScriptedLoop[]) {
  const bench = await aLedger({ maxPayloadBytes: 64 * 1024 * 1024 });
  const logger = new NotedLogger();
  const runners = loops.map((loop) => new LoopRunner(loop, { ...bench, logger }));
  return { ...bench, logger, runners };
}

const events = (...list: Decision['events']): Decision => ({ events: list, more: false });

describe('given a loop', () => {
  test('when its leadership begins, then it decides at once, on the state that it began with', async () => {
    const loop = new ScriptedLoop();
    const { clock } = await aRunner(loop);
    await clock.settle();
    expect(loop.heard).toEqual(['begin 0', 'decide 0']);
  });

  test('when something changes while it is idle, then it decides in the same turn, without a pause', async () => {
    const loop = new ScriptedLoop();
    const { clock, ledger } = await aRunner(loop);
    await clock.settle();
    void label(ledger, 'a');
    expect(loop.heard.slice(2)).toEqual(['observe 1']);
    await Promise.resolve();
    expect(loop.heard.slice(2)).toEqual(['observe 1', 'decide 1']);
    expect(clock.pendingTimers).toBe(0);
  });

  test('when many things change at once, then it decides once about all of them', async () => {
    const loop = new ScriptedLoop();
    const { clock, ledger } = await aRunner(loop);
    await clock.settle();
    await Promise.all(['a', 'b', 'c'].map((name) => label(ledger, name)));
    expect(loop.heard.slice(2)).toEqual(['observe 1', 'observe 2', 'observe 3', 'decide 3']);
  });

  test('when there is more to decide, then others get their turn in between', async () => {
    const order: string[] = [];
    let left = 3;
    const loop = new ScriptedLoop((head) => {
      if (left === 0) return NOTHING;
      left -= 1;
      order.push(`decision with ${left} left`);
      return { events: labelled(head, `n${left}`), more: left > 0 };
    });
    const { clock, ledger } = await aRunner(loop);
    const turn = () => {
      order.push('turn');
      if (left > 0) clock.defer(turn);
    };
    clock.defer(turn);
    await clock.settle();
    expect(order).toEqual([
      'decision with 2 left',
      'decision with 1 left',
      'turn',
      'decision with 0 left',
      'turn',
    ]);
    expect(labelsOf(ledger.committed)).toEqual(['n2', 'n1', 'n0']);
  });

  test('when it asks to be woken, then it looks again at that time, though nothing has changed', async () => {
    let wakeAt: number | undefined;
    const loop = new ScriptedLoop((_, { at }) => {
      wakeAt ??= at + 5_000;
      return at < wakeAt ? { ...NOTHING, wakeAt } : NOTHING;
    });
    const { clock } = await aRunner(loop);
    await clock.advance(4_999);
    expect(loop.heard).toEqual(['begin 0', 'decide 0']);
    await clock.advance(1);
    expect(loop.heard).toEqual(['begin 0', 'decide 0', 'decide 0']);
    expect(clock.pendingTimers).toBe(0);
  });

  test('when it asks to be woken after the wall clock jumped back, then it is woken in time', async () => {
    const asked: number[] = [];
    const loop = new ScriptedLoop((_, { at }) => {
      asked.push(at);
      return asked.length === 2 ? { ...NOTHING, wakeAt: at + 5_000 } : NOTHING;
    });
    const { clock, ledger } = await aRunner(loop);
    await clock.settle();
    clock.jumpWallTime(-3_600_000);
    await label(ledger, 'a');
    await clock.advance(5_000);
    expect(asked.map((at) => at - (asked[0] ?? 0))).toEqual([0, 0, 5_000]);
  });

  test('when it asks to be woken and something changes first, then the later answer holds alone', async () => {
    const wakes = [5_000, 1_000];
    const loop = new ScriptedLoop((_, { at }) => {
      const delay = wakes.shift();
      return delay === undefined ? NOTHING : { ...NOTHING, wakeAt: at + delay };
    });
    const { clock, ledger } = await aRunner(loop);
    await clock.settle();
    await label(ledger, 'a');
    expect(clock.pendingTimers).toBe(1);
    await clock.advance(10_000);
    expect(loop.heard.filter((heard) => heard.startsWith('decide'))).toHaveLength(3);
  });

  test('when it has decided, then its counters say so', async () => {
    let asked = false;
    const loop = new ScriptedLoop((head) => {
      if (asked) return NOTHING;
      asked = true;
      return events(...labelled(head, 'a'));
    });
    const { clock, runners } = await aRunner(loop);
    await clock.settle();
    expect(runners[0]?.status).toEqual({ name: 'scripted', decisions: 2, transactions: 1, events: 1 });
  });

  test('when it is stopped, then it hears and decides nothing any more', async () => {
    const loop = new ScriptedLoop((_, { at }) => ({ events: [], more: true, wakeAt: at + 10 }));
    const { clock, ledger, runners } = await aRunner(loop);
    await Promise.resolve();
    runners[0]?.stop();
    const before = [...loop.heard];
    await label(ledger, 'a');
    await clock.advance(1_000);
    expect(loop.heard).toEqual(before);
    expect(clock.pendingTimers).toBe(0);
  });

  test('when too much is on its way to the log, then it waits until there is room', async () => {
    const loop = new ScriptedLoop();
    const { clock, ledger, log } = await aRunner(loop);
    await clock.settle();
    const release = log.hold();
    const call = label(ledger, 'x'.repeat(17 * 1024 * 1024));
    await clock.settle();
    expect(loop.heard.slice(2)).toEqual(['observe 1']);
    release();
    await call;
    await clock.settle();
    expect(loop.heard.slice(2)).toEqual(['observe 1', 'decide 1']);
  });

  test('when the log refuses what it wants, then it decides nothing more under this ledger', async () => {
    const loop = new ScriptedLoop((head) => events(...labelled(head, `n${head.index}`)));
    const { clock, ledger, log, logger } = await aRunner(loop);
    log.failNext({ kind: 'rejected', reason: 'disk-full', message: 'no room' });
    await clock.advance(10_000);
    expect(ledger.failure).toMatchObject({ reason: 'disk-full' });
    expect(logger.errors).toEqual([]);
    const decisions = loop.heard.length;
    await clock.advance(10_000);
    expect(loop.heard).toHaveLength(decisions);
  });
});

test('given a task that failed, when the wall clock jumps back, then its slot is restarted in time', async () => {
  const { clock, ledger } = await aLedger();
  const built = aCluster()
    .withNode()
    .withService({ name: 'web', task: { restart: { delayMs: 5_000 } } });
  const write = (events: readonly ClusterEvent[]) =>
    ledger.transact({ kind: 'user' }, () => ({ events, result: undefined }));
  await label(ledger, 'a');
  const spec = built.state.serviceByName('web')?.spec;
  if (!spec) throw new Error('there is no service');
  await write([{ type: 'service.created', id: asId<ServiceId>('web'), spec }]);
  new LoopRunner(createReplicatedOrchestrator(), { ledger, clock, logger: new NotedLogger() });
  await clock.settle();
  const tasks = () => [...ledger.committed.tasks()];
  clock.jumpWallTime(-3_600_000);
  const status: TaskStatus = { state: 'failed', at: clock.now(), message: 'failed' };
  await write([{ type: 'task.status', rows: tasks().map(({ id }) => ({ id, status })) }]);
  await clock.advance(4_999);
  expect(tasks().map(({ desiredState }) => desiredState)).toEqual(['shutdown', 'ready']);
  await clock.advance(1);
  expect(tasks().map(({ desiredState }) => desiredState)).toEqual(['shutdown', 'running']);
});

describe('given a loop that throws', () => {
  test.each(['begin', 'observe', 'decide'] as const)(
    'when it does so in %s, then other loops go on, and it begins again when the state moves',
    async (failIn) => {
      const faulty = new ScriptedLoop(undefined, 'faulty');
      const sound = new ScriptedLoop(undefined, 'sound');
      faulty.failIn = failIn;
      faulty.failure = 'a fault';
      const { clock, ledger, logger } = await aRunner(faulty, sound);
      await clock.settle();
      expect(await label(ledger, 'a')).toBe('a');
      await clock.settle();
      expect(sound.heard).toEqual(['begin 0', 'decide 0', 'observe 1', 'decide 1']);
      expect(logger.errors.length).toBeGreaterThan(0);

      faulty.failure = undefined;
      const before = faulty.heard.length;
      await label(ledger, 'b');
      await clock.settle();
      expect(faulty.heard.slice(before).filter((heard) => !heard.startsWith('observe'))).toEqual(
        failIn === 'observe' ? ['decide 2'] : ['begin 2', 'decide 2'],
      );
    },
  );

  test('when the state does not move, then it begins again after a while, and not before', async () => {
    const loop = new ScriptedLoop();
    loop.failure = 'a fault';
    const { clock, logger } = await aRunner(loop);
    await clock.advance(RECOVER_MS - 1);
    expect(loop.heard).toEqual(['begin 0', 'decide 0']);
    loop.failure = undefined;
    await clock.advance(1);
    expect(loop.heard).toEqual(['begin 0', 'decide 0', 'begin 0', 'decide 0']);
    expect(logger.errors).toHaveLength(1);
  });

  test('when it asks for what does not fit the state, then it begins again, without spinning', async () => {
    const loop = new ScriptedLoop(() => ({
      events: [{ type: 'node.removed', id: 'gone' as never }],
      more: true,
    }));
    const { clock, ledger, logger } = await aRunner(loop);
    await clock.advance(3 * RECOVER_MS);
    expect(ledger.failure).toBeUndefined();
    expect(logger.errors.length).toBeGreaterThanOrEqual(3);
    expect(logger.errors.length).toBeLessThanOrEqual(4);
    expect(loop.heard.filter((heard) => heard === 'begin 0')).toHaveLength(logger.errors.length);
  });
});
