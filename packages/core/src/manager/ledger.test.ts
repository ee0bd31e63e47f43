import { describe, expect, test } from 'vitest';
import { OutcomeUnknownError, PreconditionError, UnavailableError } from '../errors.ts';
import { asId, type CommandId } from '../model/ids.ts';
import { aLedger, label, labelled, labelsOf } from '../testing/a-ledger.ts';
import type { CommandKind } from './leader-store.ts';
import type { Ledger } from './ledger.ts';

const command = asId<CommandId>('command');

/** How each of several calls ended, in order. */
async function endings(calls: readonly Promise<unknown>[]): Promise<unknown[]> {
  const settled = await Promise.allSettled(calls);
  return settled.map((each) =>
    each.status === 'fulfilled' ? each.value : (each.reason as Error).constructor,
  );
}

describe('given a ledger', () => {
  test('when many transactions are decided before one is committed, then each stands on the last, in order', async () => {
    const { ledger, replica } = await aLedger({ positionStride: 7 });
    const order: string[] = [];
    const names = Array.from({ length: 50 }, (_, n) => `n${n}`);
    const calls = names.map((name) => label(ledger, name).then((value) => order.push(value)));
    expect(labelsOf(ledger.head)).toEqual(names);
    expect(labelsOf(ledger.committed)).toEqual([]);
    await Promise.all(calls);
    expect(order).toEqual(names);
    expect(labelsOf(ledger.committed)).toEqual(names);
    expect(replica.state).toBe(ledger.head);
    expect(ledger.acceptedSequence).toBe(50);
  });

  test('when the log is slow, then nobody is answered before the commit, and the head is ahead of what is certain', async () => {
    const { ledger, log, clock } = await aLedger();
    const release = log.hold();
    let answered = false;
    const call = label(ledger, 'a').then(() => {
      answered = true;
    });
    await clock.settle();
    expect([answered, ledger.head.index, ledger.committed.index]).toEqual([false, 1, 0]);
    release();
    await call;
    expect([answered, ledger.committed.index]).toEqual([true, 1]);
  });

  test('when a decision is empty, then its answer waits for what it rests on', async () => {
    const { ledger, log, clock } = await aLedger();
    const release = log.hold();
    const order: string[] = [];
    const first = label(ledger, 'a').then(() => order.push('a'));
    const empty = ledger.transact({ kind: 'user' }, (head) => ({ events: [], result: labelsOf(head) }));
    void empty.then(() => order.push('empty'));
    await clock.settle();
    expect(order).toEqual([]);
    release();
    expect(await empty).toEqual(['a']);
    await first;
    expect(order).toEqual(['a', 'empty']);
    expect(ledger.head.index).toBe(1);
  });

  test('when what an empty decision rests on is refused, then it fails too', async () => {
    const { ledger, log } = await aLedger();
    log.failNext({ kind: 'rejected', reason: 'disk-full', message: 'no room' });
    const calls = [
      label(ledger, 'a'),
      ledger.transact({ kind: 'user' }, () => ({ events: [], result: 'seen' })),
    ];
    expect(await endings(calls)).toEqual([UnavailableError, UnavailableError]);
  });

  test('when a decision throws, then its caller hears it and nothing has changed', async () => {
    const { ledger } = await aLedger();
    const failing = ledger.transact({ kind: 'user' }, () => {
      throw new RangeError('no such thing');
    });
    await expect(failing).rejects.toThrow('no such thing');
    expect(ledger.head.index).toBe(0);
    expect(await label(ledger, 'a')).toBe('a');
  });

  test('when events do not fit the state, then the caller hears it and those in flight are not harmed', async () => {
    const { ledger } = await aLedger();
    const good = label(ledger, 'a');
    const bad = ledger.transact({ kind: 'user' }, () => ({
      events: [{ type: 'node.removed', id: asId('gone') }],
      result: undefined,
    }));
    const after = label(ledger, 'b');
    await expect(bad).rejects.toThrow('node gone does not exist');
    expect(await endings([good, after])).toEqual(['a', 'b']);
  });

  test('when listeners watch the head and the commits, then they hear each transaction in order, head first', async () => {
    const { ledger } = await aLedger();
    const heard: string[] = [];
    ledger.onHead((changes, state) => heard.push(`head ${changes.index} ${state.index}`));
    const stop = ledger.onCommitted((changes, state) =>
      heard.push(`committed ${changes.index} ${state.index}`),
    );
    await Promise.all([label(ledger, 'a'), label(ledger, 'b')]);
    stop();
    await label(ledger, 'c');
    expect(heard).toEqual(['head 1 1', 'head 2 2', 'committed 1 1', 'committed 2 2', 'head 3 3']);
  });

  test('when the wall clock jumps back, then the time of transactions does not', async () => {
    const { ledger, clock } = await aLedger();
    await label(ledger, 'a');
    const { at } = ledger.head;
    clock.jumpWallTime(-60_000);
    await label(ledger, 'b');
    expect(ledger.head.at).toBe(at);
    expect(ledger.context().at).toBe(at);
    clock.jumpWallTime(61_000);
    await label(ledger, 'c');
    expect(ledger.head.at).toBe(at + 1_000);
  });

  test('when the wall clock jumps back, then the time of transactions goes on by what passes', async () => {
    const { ledger, clock } = await aLedger();
    await label(ledger, 'a');
    const { at } = ledger.head;
    clock.jumpWallTime(-3_600_000);
    await clock.advance(5_000);
    expect(ledger.now()).toBe(at + 5_000);
    await label(ledger, 'b');
    expect(ledger.head.at).toBe(at + 5_000);
    clock.jumpWallTime(3_600_000);
    expect(ledger.now()).toBe(at + 5_000);
  });

  test('when another leads with a clock that is behind, then its time goes on from the last decision', async () => {
    const bench = await aLedger();
    await label(bench.ledger, 'a');
    const { at } = bench.ledger.head;
    bench.clock.jumpWallTime(-3_600_000);
    bench.log.lead();
    const ledger = bench.nextLedger();
    await bench.clock.advance(7_000);
    expect(ledger.context().at).toBe(at + 7_000);
  });

  test('when a transaction is too large for the log, then it alone is refused, as one that is no use to retry', async () => {
    const { ledger, replica } = await aLedger({ maxPayloadBytes: 2_000 });
    const before = label(ledger, 'a');
    const large = label(ledger, 'x'.repeat(3_000));
    const after = label(ledger, 'b');
    await expect(large).rejects.toMatchObject({ code: 'UNAVAILABLE', reason: 'too-large', retryable: false });
    expect(await endings([before, after])).toEqual(['a', 'b']);
    expect(labelsOf(replica.state)).toEqual(['a', 'b']);
    expect(ledger.failure).toBeUndefined();
  });

  test('when more is on its way than may be, then loops wait until there is room', async () => {
    const { ledger, log, clock } = await aLedger({ maxPayloadBytes: 64 * 1024 * 1024 });
    expect(ledger.ready()).toBeUndefined();
    const release = log.hold();
    const call = label(ledger, 'x'.repeat(17 * 1024 * 1024));
    let ready = false;
    const wait = ledger.ready()?.then(() => {
      ready = true;
    });
    await clock.settle();
    expect(ready).toBe(false);
    release();
    await call;
    await wait;
    expect(ledger.ready()).toBeUndefined();
  });
});

describe('given transactions in flight', () => {
  test('when the log refuses one, then all that stood on it are refused, and the next ledger goes on from what is certain', async () => {
    const bench = await aLedger();
    const { ledger, log, replica } = bench;
    const first = label(ledger, 'a');
    log.failNext({ kind: 'rejected', reason: 'disk-full', message: 'no room' });
    const calls = [first, label(ledger, 'b'), label(ledger, 'c')];
    expect(labelsOf(ledger.head)).toEqual(['a', 'b', 'c']);
    expect(await endings(calls)).toEqual(['a', UnavailableError, UnavailableError]);
    await ledger.idle();
    expect(labelsOf(replica.state)).toEqual(['a']);
    expect(ledger.failure).toMatchObject({ code: 'UNAVAILABLE', reason: 'disk-full', retryable: true });
    await expect(label(ledger, 'd')).rejects.toBe(ledger.failure);

    ledger.end(new UnavailableError('not-leader', 'over'));
    const next = bench.nextLedger(ledger.acceptedSequence);
    expect(labelsOf(next.head)).toEqual(['a']);
    expect(await label(next, 'e')).toBe('e');
    expect(labelsOf(replica.state)).toEqual(['a', 'e']);
  });

  test('when the log refuses one, then whoever asked to be told is told once', async () => {
    const { ledger, log } = await aLedger();
    const told: unknown[] = [];
    ledger.onFailure((error) => told.push(error));
    log.failNext({ kind: 'rejected', reason: 'disk-full', message: 'no room' });
    await endings([label(ledger, 'a'), label(ledger, 'b')]);
    ledger.end(new UnavailableError('not-leader', 'over'));
    ledger.onFailure((error) => told.push(error));
    expect(told).toEqual([ledger.failure, ledger.failure]);
    expect(ledger.failure).toMatchObject({ reason: 'disk-full' });
  });

  test('when leadership is lost, then their outcome is unknown under the id of each command', async () => {
    const { ledger, log } = await aLedger();
    log.hold();
    const calls = [label(ledger, 'a', command), label(ledger, 'b', asId('other'))];
    log.loseLeadership();
    await expect(calls[0]).rejects.toMatchObject({ code: 'OUTCOME_UNKNOWN', commandId: 'command' });
    await expect(calls[1]).rejects.toMatchObject({ code: 'OUTCOME_UNKNOWN', commandId: 'other' });
    await expect(label(ledger, 'c')).rejects.toBeInstanceOf(OutcomeUnknownError);
  });

  test.each([true, false])(
    'when an outcome is unknown and the entry is in the log: %s, then asking again under its id carries it out once',
    async (committed) => {
      const bench = await aLedger();
      const { ledger, log, replica } = bench;
      log.failNext({ kind: 'unknown', reason: 'timeout', message: 'no answer', committed });
      await expect(label(ledger, 'a', command)).rejects.toBeInstanceOf(OutcomeUnknownError);
      await ledger.idle();
      ledger.end(new UnavailableError('not-leader', 'over'));
      const sameEpoch = committed;
      const next = bench.nextLedger(sameEpoch ? ledger.acceptedSequence : 0);
      expect(await label(next, 'a', command)).toBe(committed ? 'a again' : 'a');
      expect(await label(next, 'b')).toBe('b');
      expect(labelsOf(replica.state)).toEqual(['a', 'b']);
      expect(replica.state.index).toBe(2);
    },
  );

  test('when an entry commits after its ledger has ended, then the state holds it all the same', async () => {
    const bench = await aLedger();
    const { ledger, log, replica } = bench;
    const release = log.hold();
    const call = label(ledger, 'a');
    ledger.end(new UnavailableError('not-leader', 'over'));
    release();
    expect(await call).toBe('a');
    expect(labelsOf(replica.state)).toEqual(['a']);
    expect(ledger.acceptedSequence).toBe(1);
    expect(await label(bench.nextLedger(ledger.acceptedSequence), 'b')).toBe('b');
  });

  test('when the log throws, which it must not, then the outcome is unknown', async () => {
    const bench = await aLedger();
    const append = () => Promise.reject(new Error('a fault of the log'));
    Object.defineProperty(bench.log, 'append', { value: append });
    const calls = [
      label(bench.ledger, 'a', command),
      bench.ledger.transact({ kind: 'user' }, () => ({ events: [], result: 1 })),
    ];
    expect(await endings(calls)).toEqual([OutcomeUnknownError, OutcomeUnknownError]);
  });
});

describe('given a command that was carried out', () => {
  test('when it is asked for again, then it is answered and not carried out again', async () => {
    const { ledger, replica } = await aLedger();
    expect(await label(ledger, 'a', command)).toBe('a');
    expect(await label(ledger, 'a', command)).toBe('a again');
    expect(replica.state.index).toBe(1);
  });

  test('when it is asked for again while it is in flight, then the second answer waits for the commit', async () => {
    const { ledger, log, clock, replica } = await aLedger();
    const release = log.hold();
    const order: string[] = [];
    const calls = [label(ledger, 'a', command), label(ledger, 'a', command)].map((call) =>
      call.then((value) => order.push(value)),
    );
    await clock.settle();
    expect(order).toEqual([]);
    release();
    await Promise.all(calls);
    expect(order).toEqual(['a', 'a again']);
    expect(replica.state.index).toBe(1);
  });

  test('when the first asking turns out unknown, then the second is told of its own command', async () => {
    const { ledger, log } = await aLedger();
    log.hold();
    const calls = [label(ledger, 'a', command), label(ledger, 'a', command)];
    log.loseLeadership();
    for (const call of calls) await expect(call).rejects.toMatchObject({ commandId: 'command' });
  });

  test('when another leader has it in its state, then it is still known', async () => {
    const bench = await aLedger();
    await label(bench.ledger, 'a', command);
    bench.log.lead();
    expect(await label(bench.nextLedger(), 'a', command)).toBe('a again');
  });
});

describe('given a command that said what it did', () => {
  const answer = { id: 'web', action: 'created', what: 'service' } as const;
  const carryOut = (ledger: Ledger, kind?: CommandKind) =>
    ledger.transact<unknown>(
      { kind: 'user' },
      (head) => ({ events: labelled(head, 'a'), result: 'done', answer }),
      { command: { id: command, ...(kind ? { kind } : {}), repeated: (_, before) => before } },
    );
  const creating: CommandKind = { what: 'service', actions: ['created'] };

  test('when it is asked for again, of another leader too, then the answer is what it did then', async () => {
    const bench = await aLedger();
    expect(await carryOut(bench.ledger, creating)).toBe('done');
    await label(bench.ledger, 'b');
    expect(await carryOut(bench.ledger, creating)).toEqual(answer);
    bench.log.lead();
    expect(await carryOut(bench.nextLedger(), creating)).toEqual(answer);
  });

  test.each<[string, CommandKind]>([
    ['another kind of command', { what: 'service', actions: ['removed'] }],
    ['another kind of object', { what: 'network', actions: ['created'] }],
  ])('when its id comes with %s, then that is refused and nothing happens', async (_, kind) => {
    const { ledger } = await aLedger();
    await carryOut(ledger, creating);
    await expect(carryOut(ledger, kind)).rejects.toThrow('command id command was used for another command');
    await expect(carryOut(ledger, kind)).rejects.toBeInstanceOf(PreconditionError);
    expect(ledger.head.index).toBe(1);
  });

  test('when nobody says of what kind the retry is, then it is answered', async () => {
    const { ledger } = await aLedger();
    await carryOut(ledger);
    expect(await carryOut(ledger)).toEqual(answer);
  });
});

test('given a cause, when a transaction has one, then its change set tells it', async () => {
  const { ledger } = await aLedger();
  const causes: unknown[] = [];
  ledger.onHead((changes) => causes.push(changes.cause));
  await label(ledger, 'a');
  await ledger.transact(
    { kind: 'loop', name: 'x' },
    (head) => ({ events: labelled(head, 'b'), result: undefined }),
    { cause: 1 },
  );
  expect(causes).toEqual([undefined, 1]);
});
