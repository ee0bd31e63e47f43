import { describe, expect, it } from 'vitest';
import { RecordingMachine } from './conformance/recording-machine.ts';
import { describeEventLog } from './conformance.ts';
import type { Append, AppendOutcome } from './event-log.ts';
import { MemoryEventLog, type MemoryEventLogOptions } from './memory-event-log.ts';
import { MemoryLogStorage } from './memory-storage.ts';

for (const positionStride of [1, 7]) {
  describeEventLog(
    `the memory log with positions ${positionStride} apart`,
    {
      reopens: true,
      endsEpochs: true,
      create: async () => {
        const storage = new MemoryLogStorage();
        let last: MemoryEventLog | undefined;
        return {
          log: () => {
            last = new MemoryEventLog({ storage, positionStride, maxInFlight: 12_000 });
            return last;
          },
          endEpoch: async () => last?.lead(),
          dispose: async () => last?.close(),
        };
      },
    },
    { describe, it, expect },
  );
}

describe('MemoryEventLog', () => {
  async function open(options?: MemoryEventLogOptions) {
    const log = new MemoryEventLog(options);
    const machine = new RecordingMachine();
    await log.open(machine);
    let sequence = 0;
    const send = (text: string): Promise<AppendOutcome> => {
      sequence += 1;
      return log.append(append(log.leadership().epoch, sequence, text));
    };
    const restart = () => {
      sequence = 0;
    };
    return { log, machine, send, restart };
  }

  function append(epoch: number, sequence: number, text: string): Append {
    return { at: 0, payload: new TextEncoder().encode(text), epoch, sequence };
  }

  it('given a new log, when opened, then it leads epoch 1', async () => {
    const { log } = await open();
    expect(log.leadership()).toEqual({ role: 'leader', epoch: 1 });
  });

  it('given a rehearsed rejection, then the append is refused and is not in the log', async () => {
    const { log, machine, send } = await open();
    log.failNext({ kind: 'rejected', reason: 'disk-full', message: 'no room' });
    expect(await send('refused')).toMatchObject({ kind: 'rejected', reason: 'disk-full' });
    expect(await log.append(append(1, 1, 'taken'))).toEqual({ kind: 'committed', position: 1 });
    expect(machine.payloads).toEqual(['taken']);
  });

  it.each([true, false])(
    'given a rehearsed unknown outcome, committed %s, then the log tells what became of it',
    async (committed) => {
      const { log, machine, send } = await open();
      log.failNext({ kind: 'unknown', reason: 'timeout', message: 'no answer', committed });
      const [unknown, behind] = await Promise.all([send('perhaps'), send('behind')]);
      expect(unknown).toMatchObject({ kind: 'unknown', reason: 'timeout' });
      expect(behind.kind).toBe(committed ? 'committed' : 'rejected');
      expect(machine.payloads).toEqual(committed ? ['perhaps', 'behind'] : []);
      expect(log.leadership().epoch).toBe(committed ? 1 : 2);
    },
  );

  it.each([true, false])(
    'given appends in flight, when leadership is lost and they are kept %s, then they are unknown',
    async (keepInFlight) => {
      const { log, machine, send, restart } = await open();
      log.hold();
      const sent = [send('one'), send('two')];
      log.loseLeadership({ keepInFlight });
      expect((await Promise.all(sent)).map(({ kind }) => kind)).toEqual(['unknown', 'unknown']);
      expect(machine.payloads).toEqual(keepInFlight ? ['one', 'two'] : []);
      expect(log.leadership().role).toBe('none');
      expect(await send('nobody leads')).toMatchObject({ kind: 'rejected', reason: 'not-leader' });
      log.lead();
      restart();
      expect(log.leadership()).toEqual({ role: 'leader', epoch: 2 });
    },
  );

  it('given held appends, when released, then they are committed in order', async () => {
    const { log, machine, send } = await open();
    const release = log.hold();
    const sent = [send('one'), send('two')];
    await log.barrier();
    expect(machine.payloads).toEqual([]);
    release();
    await Promise.all(sent);
    expect(machine.payloads).toEqual(['one', 'two']);
  });

  it('given more bytes than are to be retained, then the oldest half is forgotten and told as such', async () => {
    const { log, send } = await open({ retainBytes: 100 });
    for (let index = 0; index < 11; index++) await send('0123456789');
    const { first, last, bytes } = log.status();
    expect({ first, last, bytes }).toEqual({ first: 7, last: 11, bytes: 50 });
    await expect(log.read({ after: 0 })[Symbol.asyncIterator]().next()).rejects.toMatchObject({
      code: 'compacted',
      oldest: 6,
    });
  });

  it('given an append made from within apply, then it is applied behind the present one', async () => {
    const { machine, send } = await open();
    let inner: Promise<AppendOutcome> | undefined;
    machine.beforeApply = ({ position }) => {
      if (position === 1) inner = send('from within');
    };
    await send('outer');
    await inner;
    expect(machine.payloads).toEqual(['outer', 'from within']);
  });
});
