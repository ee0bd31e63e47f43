/** Epochs, terms and fencing. */

import type { Leadership, LeaderTerm } from '../event-log.ts';
import {
  brief,
  type ConformanceTestApi,
  type EventLogHarness,
  gate,
  makeCheck,
  nextLeader,
  readAll,
  texts,
  withLeader,
} from './harness.ts';

/** Declares the tests of leadership. */
export function describeLeadership(harness: EventLogHarness, testApi: ConformanceTestApi): void {
  const { describe, it } = testApi;
  const check = makeCheck(testApi);

  describe('leadership', () => {
    it('given a listener, then it is told at once, and no more after it stopped', () =>
      withLeader(harness, async ({ log }) => {
        const told: Leadership[] = [];
        const stop = log.onLeadership((leadership) => told.push(leadership));
        check(told, [log.leadership()], 'onLeadership must call back at once with the present leadership');
        stop();
        await log.close();
        check(told.length, 1, 'a listener that stopped must not be called again');
      }));

    it('given a task for leaders, then it runs with the present epoch once what was committed is applied', () =>
      withLeader(harness, async ({ log, leader, machine }) => {
        await leader.commit('before');
        const started = gate();
        let seen: unknown;
        const stop = log.whileLeader(async ({ epoch, signal }) => {
          seen = { epoch, aborted: signal.aborted, applied: [...machine.payloads] };
          started.open();
        });
        await started.opened;
        const rule = 'a term starts with its epoch, a live signal, and all that was committed before applied';
        check(seen, { epoch: leader.epoch, aborted: false, applied: ['before'] }, rule);
        stop();
      }));

    it('given a running term, when the task is stopped or the log closed, then its signal aborts', () =>
      withLeader(harness, async ({ log }) => {
        const first = untilAborted();
        const second = untilAborted();
        const stop = log.whileLeader(first.term);
        log.whileLeader(second.term);
        await Promise.all([first.started, second.started]);
        stop();
        await first.aborted;
        check(second.signal()?.aborted, false, 'stopping one task must leave the others alone');
        await log.close();
        await second.aborted;
      }));

    it('given a term that returned early, then it is not run again in the same epoch', () =>
      withLeader(harness, async ({ log, leader }) => {
        let runs = 0;
        const ran = gate();
        log.whileLeader(async () => {
          runs += 1;
          ran.open();
        });
        await ran.opened;
        for (const text of ['one', 'two', 'three']) await leader.commit(text);
        check(runs, 1, 'whileLeader runs its task once for each epoch');
      }));
  });

  if (!harness.endsEpochs) return;

  describe('the end of an epoch', () => {
    it('then a later epoch has a greater number, starts its sequence at 1, and rejects appends of the one before', () =>
      withLeader(harness, async ({ fixture, log, leader, machine }) => {
        await leader.commit('first epoch');
        await fixture.endEpoch?.(log);
        const next = await nextLeader(log, leader.epoch);
        const late = brief(await leader.send('decided too long ago'));
        const rule =
          'an append names the epoch it was decided in; once another has begun it must be rejected';
        check(['rejected: fenced', 'rejected: not-leader'].includes(late) || late, true, rule);
        await next.commit('second epoch');
        check(
          machine.payloads,
          ['first epoch', 'second epoch'],
          'nothing of an ended epoch may come behind its end',
        );
      }));

    it('given appends in flight, then each ends, and none that was rejected is in the log', () =>
      withLeader(harness, async ({ fixture, log, leader }) => {
        const names = Array.from({ length: 40 }, (_, index) => `entry ${index}`);
        const sent = names.map((name) => leader.send(name));
        await fixture.endEpoch?.(log);
        const outcomes = await Promise.all(sent);
        const next = await nextLeader(log, leader.epoch);
        await next.commit('marker');
        const present = texts(await readAll(log, { after: 0 }));
        check(present.at(-1), 'marker', 'an entry of an ended epoch came behind one of the next');
        const kept = names.filter((_, index) => outcomes[index]?.kind === 'committed');
        const refused = names.filter((_, index) => outcomes[index]?.kind === 'rejected');
        check(
          kept.filter((name) => !present.includes(name)),
          [],
          'a committed append must be in the log',
        );
        const rule =
          'a rejected append must never be in the log: if that can not be known, the outcome is `unknown`';
        check(
          refused.filter((name) => present.includes(name)),
          [],
          rule,
        );
        check(
          present.slice(0, -1),
          names.slice(0, present.length - 1),
          'what is in the log must be a prefix of the chain',
        );
      }));

    it('then a term is aborted before the next begins, and the next waits until it has settled', () =>
      withLeader(harness, async ({ fixture, log, leader }) => {
        const events: string[] = [];
        const second = gate();
        const firstRuns = gate();
        const settle = gate();
        log.whileLeader(async ({ epoch, signal }) => {
          const name = epoch === leader.epoch ? 'first' : 'second';
          events.push(`${name} starts`);
          if (name === 'second') return second.open();
          signal.addEventListener('abort', () => events.push('first aborted'));
          firstRuns.open();
          await settle.opened;
          events.push('first settles');
        });
        await firstRuns.opened;
        log.onLeadership(({ role, epoch }) => {
          if (role === 'leader' && epoch > leader.epoch) events.push('next epoch');
        });
        await fixture.endEpoch?.(log);
        await nextLeader(log, leader.epoch);
        settle.open();
        await second.opened;
        const rule =
          'the signal aborts before another epoch begins here, and terms of one task never overlap';
        check(
          events,
          ['first starts', 'first aborted', 'next epoch', 'first settles', 'second starts'],
          rule,
        );
      }));
  });
}

/** A term that runs until it is aborted. */
function untilAborted() {
  const started = gate();
  const aborted = gate();
  let signal: AbortSignal | undefined;
  const term = (given: LeaderTerm) => {
    signal = given.signal;
    signal.addEventListener('abort', aborted.open);
    started.open();
    return aborted.opened;
  };
  return { term, started: started.opened, aborted: aborted.opened, signal: () => signal };
}
