/** Reading, waiting and barriers. */

import type { Entry } from '../event-log.ts';
import {
  type ConformanceTestApi,
  type EventLogHarness,
  makeCheck,
  readAll,
  rejectionCode,
  rejectionReason,
  texts,
  withLeader,
} from './harness.ts';

/** Declares the tests of reading. */
export function describeReads(harness: EventLogHarness, testApi: ConformanceTestApi): void {
  const { describe, it } = testApi;
  const check = makeCheck(testApi);

  describe('reading', () => {
    it('given entries, then a read gives those behind a position, and ends', () =>
      withLeader(harness, async ({ log, leader }) => {
        const positions: number[] = [];
        for (const text of ['one', 'two', 'three', 'four']) positions.push(await leader.commit(text));
        check(
          texts(await readAll(log, { after: 0 })),
          ['one', 'two', 'three', 'four'],
          'after: 0 means from the first entry',
        );
        const behindTwo = await readAll(log, { after: positions[1] ?? 0 });
        check(texts(behindTwo), ['three', 'four'], '`after` is exclusive');
        check(
          behindTwo.map(({ position }) => position),
          positions.slice(2),
          'read entries carry their positions',
        );
        check(
          await readAll(log, { after: positions[3] ?? 0 }),
          [],
          'a read behind the last entry is empty, and ends',
        );
      }));

    it('given a live read, then it goes on with entries as they are committed, until it is aborted', () =>
      withLeader(harness, async ({ log, leader }) => {
        const abort = new AbortController();
        const seen: string[] = [];
        await leader.commit('before');
        const reading = (async () => {
          for await (const entry of log.read({ after: 0, live: true, signal: abort.signal })) {
            seen.push(...texts([entry]));
            if (seen.length === 4) abort.abort(new Error('enough'));
          }
        })();
        for (const text of ['one', 'two', 'three']) await leader.commit(text);
        const reason = await rejectionReason(reading);
        check(
          seen,
          ['before', 'one', 'two', 'three'],
          'a live read gives each entry once, in order, without a gap',
        );
        check(
          reason instanceof Error && reason.message,
          'enough',
          "an aborted read must reject with the signal's reason",
        );
      }));

    it('given a live read that waits, when the log is closed, then it ends with an error', () =>
      withLeader(harness, async ({ log, leader }) => {
        await leader.commit('only');
        const iterator = log.read({ after: 0, live: true })[Symbol.asyncIterator]();
        const first = await iterator.next();
        check(first.done !== true && texts([first.value]), ['only'], 'a live read starts with what is there');
        const waiting = rejectionCode(iterator.next());
        await log.close();
        check(
          await waiting,
          'closed',
          'nothing may hang: a live read of a closed log must reject with LogError closed',
        );
      }));

    it('given a reader that stops early, then the log goes on', () =>
      withLeader(harness, async ({ log, leader }) => {
        for (const text of ['one', 'two', 'three']) await leader.commit(text);
        for await (const _ of log.read({ after: 0, live: true })) break;
        await leader.commit('four');
        check((await readAll(log, { after: 0 })).length, 4, 'leaving a read must not disturb the log');
      }));

    it('given a checkpoint, then reading what it covers is refused with the oldest position to read behind', () =>
      withLeader(harness, async ({ log, leader }) => {
        for (const text of ['one', 'two', 'three']) await leader.commit(text);
        const position = await log.checkpoint();
        await leader.commit('four');
        const error = await rejectionReason(readAll(log, { after: 0 }));
        const { code, oldest } = error as { code?: unknown; oldest?: unknown };
        check(
          { code, oldest },
          { code: 'compacted', oldest: position },
          'a read of forgotten entries must reject with LogError compacted and `oldest`',
        );
        const rule = 'reading behind `oldest` must work: it is what a reader does next';
        check(texts(await readAll(log, { after: position })), ['four'], rule);
      }));

    it('given reads of any start, then each is a suffix of the whole', () =>
      withLeader(harness, async ({ log, leader }) => {
        await Promise.all(Array.from({ length: 500 }, (_, index) => leader.send(`entry ${index}`)));
        const whole = await readAll(log, { after: 0 });
        for (let start = 0; start < whole.length; start += 83) {
          const behind = await readAll(log, { after: positionOf(whole, start) });
          check(
            texts(behind),
            texts(whole.slice(start + 1)),
            'reads must agree with each other, wherever they start',
          );
        }
      }));
  });

  describe('waiting', () => {
    it('given acknowledged appends among others in flight, then a barrier comes when those are applied', () =>
      withLeader(harness, async ({ log, leader, machine }) => {
        for (let round = 0; round < 20; round++) {
          const inFlight = Array.from({ length: 10 }, (_, index) => leader.send(`${round}.${index}`));
          const acknowledged = await inFlight[3];
          const position = acknowledged?.kind === 'committed' ? acknowledged.position : Number.NaN;
          const reached = await log.barrier();
          check(
            reached >= position,
            true,
            `a barrier called after position ${position} was acknowledged resolved at ${reached}`,
          );
          check(
            machine.position >= reached,
            true,
            'a barrier must resolve only once its position is applied here',
          );
          await Promise.all(inFlight);
        }
      }));

    it('given an aborted signal, then a barrier and a wait reject with its reason', () =>
      withLeader(harness, async ({ log }) => {
        const reason = new Error('changed my mind');
        const signal = AbortSignal.abort(reason);
        check(
          await rejectionReason(log.barrier({ signal })),
          reason,
          "barrier must reject with the signal's reason",
        );
        check(
          await rejectionReason(log.waitApplied(1e9, signal)),
          reason,
          "waitApplied must reject with the signal's reason",
        );
      }));

    it('given a position to come, then a wait resolves when it is applied, and not before', () =>
      withLeader(harness, async ({ log, leader, machine }) => {
        const first = await leader.commit('one');
        await log.waitApplied(first);
        let appliedAtWake = 0;
        const waiting = log.waitApplied(first + 1).then(() => {
          appliedAtWake = machine.position;
        });
        const second = await leader.commit('two');
        await waiting;
        check(appliedAtWake >= second, true, 'waitApplied must resolve only once the position is applied');
      }));

    it('given a wait for a position that never comes, when aborted or closed, then it ends', () =>
      withLeader(harness, async ({ log }) => {
        const abort = new AbortController();
        const reason = new Error('too long');
        const aborted = rejectionReason(log.waitApplied(1e9, abort.signal));
        const closed = rejectionCode(log.waitApplied(1e9));
        abort.abort(reason);
        check(await aborted, reason, "waitApplied must reject with the signal's reason");
        await log.close();
        check(
          await closed,
          'closed',
          'nothing may hang: waitApplied on a closed log must reject with LogError closed',
        );
      }));
  });
}

function positionOf(entries: readonly Entry[], index: number): number {
  return entries[index]?.position ?? 0;
}
