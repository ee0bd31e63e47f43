/** Order, outcomes, chains and limits of appends. */

import type { EventLog } from '../event-log.ts';
import {
  brief,
  type ConformanceTestApi,
  type EventLogHarness,
  makeCheck,
  nextLeader,
  readAll,
  rejectionCode,
  texts,
  withFixture,
  withLeader,
} from './harness.ts';
import { RecordingMachine } from './recording-machine.ts';

const MEBIBYTE = 1024 * 1024;

/** Over the limit that harnesses are asked to set. */
const FLOOD = 15_000;

/** Declares the tests of appending. */
export function describeAppends(harness: EventLogHarness, testApi: ConformanceTestApi): void {
  const { describe, it } = testApi;
  const check = makeCheck(testApi);

  describe('appending', () => {
    it('given one append after another, then positions grow and the state holds each before it is answered', () =>
      withLeader(harness, async ({ leader, machine }) => {
        let last = 0;
        for (const text of ['one', 'two', 'three']) {
          const position = await leader.commit(text);
          check(position > last, true, `positions must grow strictly: ${position} came behind ${last}`);
          const rule =
            'append must resolve `committed` only after the entry was applied to the local state machine';
          check(machine.payloads.at(-1), text, rule);
          check(
            machine.position,
            position,
            'the position that is answered must be the one the entry was applied at',
          );
          last = position;
        }
      }));

    it('given an append, then the entry carries what was given, unchanged', () =>
      withLeader(harness, async ({ leader, log, machine }) => {
        const payload = Uint8Array.from({ length: 256 }, (_, index) => index);
        const append = { at: 1_234_567_890_123.25, payload, epoch: leader.epoch, sequence: 1 };
        const outcome = await log.append(append);
        const position = outcome.kind === 'committed' ? outcome.position : Number.NaN;
        const [applied] = machine.entries;
        const [read] = await readAll(log, { after: 0 });
        for (const [how, entry] of [
          ['applied', applied],
          ['read', read],
        ] as const) {
          const bytes = Array.from(entry?.payload ?? []);
          const rule = `the entry as ${how} must have the time, epoch, sequence and bytes of its append: a log changes nothing`;
          check({ ...entry, payload: bytes }, { ...append, position, payload: Array.from(payload) }, rule);
        }
      }));

    it('given 10,000 pipelined appends, then all are committed once, in the order of their sequence', () =>
      withLeader(harness, async ({ leader, machine }) => {
        const expected = Array.from({ length: 10_000 }, (_, index) => `entry ${index}`);
        const outcomes = await Promise.all(expected.map((text) => leader.send(text)));
        const positions = outcomes.map((outcome) =>
          outcome.kind === 'committed' ? outcome.position : brief(outcome),
        );
        const applied = machine.entries.map((entry) => entry.position);
        check(
          texts(machine.entries),
          expected,
          'a pipeline must be applied in sequence, each entry exactly once',
        );
        check(positions, applied, 'each append must be answered with the position of its own entry');
      }));

    it('given an empty payload and one of a mebibyte, then both are kept', () =>
      withLeader(harness, async ({ leader, log }) => {
        const { maxPayloadBytes } = log.capabilities;
        check(maxPayloadBytes >= MEBIBYTE, true, 'maxPayloadBytes must be at least 1 MiB in every engine');
        const large = new Uint8Array(MEBIBYTE).map((_, index) => index % 251);
        await leader.commit('');
        await leader.commit(large);
        await leader.commit('behind');
        const read = await readAll(log, { after: 0 });
        check(
          read.map(({ payload }) => payload.length),
          [0, MEBIBYTE, 6],
          'payloads must keep their lengths',
        );
        check(sum(read[1]?.payload), sum(large), 'a large payload must come back as it was');
      }));

    it('given a payload over the limit, then it is rejected as too large and the chain goes on with its number', () =>
      withLeader(harness, async ({ leader, log, machine }) => {
        await leader.commit('before');
        const outcome = await leader.send(new Uint8Array(log.capabilities.maxPayloadBytes + 1));
        check(
          brief(outcome),
          'rejected: too-large',
          'a payload over maxPayloadBytes must be rejected as too-large',
        );
        leader.sequence -= 1;
        await leader.commit('after');
        const rule = 'a rejected append is not in the log, and the next one accepted takes its number';
        check(machine.payloads, ['before', 'after'], rule);
      }));

    it('given a hole in the sequence, then all behind it are rejected until the missing number comes', () =>
      withLeader(harness, async ({ leader, log, machine }) => {
        await leader.commit('one');
        const behind = [3, 4, 5].map((sequence) => log.append(leader.next(`number ${sequence}`, sequence)));
        const rule =
          'appends behind a hole were decided on a state that never came to be: reject them out-of-sequence';
        check((await Promise.all(behind)).map(brief), Array(3).fill('rejected: out-of-sequence'), rule);
        await leader.commit('two');
        check(machine.payloads, ['one', 'two'], 'the chain goes on at the last accepted number + 1');
      }));

    it('given a rejected append in a pipeline, then all behind it are rejected and the ones before it committed', () =>
      withLeader(harness, async ({ leader, log, machine }) => {
        const tooLarge = new Uint8Array(log.capabilities.maxPayloadBytes + 1);
        const sent = ['one', 'two', tooLarge, 'four', 'five'].map((payload) => leader.send(payload));
        const outcomes = (await Promise.all(sent)).map(brief);
        const rule =
          'one rejection in a chain must reject all that was sent behind it, and nothing before it';
        const expected = [
          'committed',
          'committed',
          'rejected: too-large',
          ...Array(2).fill('rejected: out-of-sequence'),
        ];
        check(outcomes, expected, rule);
        leader.sequence = 2;
        await leader.commit('three');
        check(machine.payloads, ['one', 'two', 'three'], 'then the leader goes on at last accepted + 1');
      }));

    it('given a number that was used already, then the append is rejected', () =>
      withLeader(harness, async ({ leader, log, machine }) => {
        await leader.commit('one');
        const again = await log.append(leader.next('one again', 1));
        check(brief(again), 'rejected: out-of-sequence', 'a number may be accepted once in an epoch');
        check(machine.payloads, ['one'], 'a rejected append must not be applied');
      }));

    it('given more appends than may wait, then those accepted are a prefix and the rest were refused at once', () =>
      withLeader(harness, async ({ leader, machine }) => {
        const payload = new Uint8Array(8);
        const outcomes = await Promise.all(Array.from({ length: FLOOD }, () => leader.send(payload)));
        const committed = outcomes.filter(({ kind }) => kind === 'committed').length;
        const firstRefused = outcomes.findIndex(({ kind }) => kind !== 'committed');
        const prefix = firstRefused === -1 ? FLOOD : firstRefused;
        check(committed, prefix, 'once one append of a chain was refused, none behind it may be committed');
        const refusals = [...new Set(outcomes.slice(prefix).map(brief))];
        const known = ['rejected: busy', 'rejected: out-of-sequence'];
        check(
          refusals.filter((name) => !known.includes(name)),
          [],
          'back-pressure must be told as busy, what is behind as out-of-sequence',
        );
        check(machine.entries.length, committed, 'what was refused must not be applied');
        leader.sequence = committed;
        await leader.commit('after the flood');
      }));

    it('given another epoch than the present one, then the append is rejected', () =>
      withLeader(harness, async ({ leader, log, machine }) => {
        await leader.commit('mine');
        for (const epoch of [leader.epoch - 1, leader.epoch + 1]) {
          const outcome = brief(await log.append({ ...leader.next('not mine', 2), epoch }));
          const rule = `an append decided in epoch ${epoch} must be rejected in epoch ${leader.epoch}`;
          check(['rejected: fenced', 'rejected: not-leader'].includes(outcome) || outcome, true, rule);
        }
        await leader.commit('mine again');
        check(machine.payloads, ['mine', 'mine again'], 'a fenced append must leave the chain as it is');
      }));

    it('given a state machine that throws, then the log fails loudly and takes no more appends', () =>
      withLeader(harness, async ({ leader, log, machine }) => {
        await leader.commit('fine');
        machine.beforeApply = () => {
          throw new Error('refused by the test');
        };
        const outcome = await leader.send('poison');
        check(
          outcome.kind === 'committed',
          false,
          'an entry that could not be applied must not be answered as committed',
        );
        check(
          typeof log.status().failure?.message,
          'string',
          'status().failure must say why the log has failed',
        );
        check(
          brief(await leader.send('behind')),
          'rejected: closed',
          'a failed log must reject appends as closed',
        );
        check(log.leadership().role, 'none', 'a failed log must not lead: its state has drifted');
        check(machine.payloads, ['fine'], 'nothing may be applied behind an entry that failed');
      }));

    it('given appends in flight, when the log is closed, then each of them ends', () =>
      withFixture(harness, async (fixture) => {
        const log = fixture.log();
        const machine = new RecordingMachine();
        await log.open(machine);
        const leader = await nextLeader(log);
        const sent = Array.from({ length: 50 }, (_, index) => leader.send(`entry ${index}`));
        await log.close();
        const outcomes = await Promise.all(sent);
        const committed = outcomes.filter(({ kind }) => kind === 'committed').length;
        const firstOther = outcomes.findIndex(({ kind }) => kind !== 'committed');
        check(
          committed,
          firstOther === -1 ? 50 : firstOther,
          'what a closing log commits must be a prefix of the chain',
        );
        await checkClosed(log);
        await log.close();
      }));

    const checkClosed = async (log: EventLog) => {
      const outcome = await log.append({ at: 0, payload: new Uint8Array(1), epoch: 1, sequence: 1 });
      check(brief(outcome), 'rejected: closed', 'a closed log must reject appends as closed');
      check(
        await rejectionCode(log.barrier()),
        'closed',
        'a barrier of a closed log must reject with LogError closed',
      );
      check(log.leadership().role, 'none', 'a closed log leads nothing');
    };

    it('given an open log, when it is opened again, then that is refused', () =>
      withLeader(harness, async ({ log, leader }) => {
        check(
          await rejectionCode(log.open(new RecordingMachine())),
          'closed',
          'open is called once in the life of a log',
        );
        await leader.commit('still open');
      }));
  });
}

function sum(bytes: Uint8Array | undefined): number {
  return (bytes ?? new Uint8Array(0)).reduce(
    (total, byte, index) => (total + byte * (index + 1)) % 1_000_003,
    0,
  );
}
