/** Checkpoints, restarts, crashes and a full disk. */

import type { EventLog } from '../event-log.ts';
import {
  brief,
  type ConformanceTestApi,
  type EventLogFixture,
  type EventLogHarness,
  gate,
  type Leader,
  makeCheck,
  nextLeader,
  readAll,
  rejectionReason,
  texts,
  withFixture,
  withLeader,
} from './harness.ts';
import { RecordingMachine } from './recording-machine.ts';

/** Declares the tests of what is kept. */
export function describeStorage(harness: EventLogHarness, testApi: ConformanceTestApi): void {
  const { describe, it } = testApi;
  const check = makeCheck(testApi);

  describe('checkpoints', () => {
    it('given entries, then a checkpoint covers all that was acknowledged, and lets its view go', () =>
      withLeader(harness, async ({ log, leader, machine }) => {
        const last = await leader.commit('one');
        const position = await log.checkpoint();
        check(
          position >= last,
          true,
          `a checkpoint called after position ${last} was acknowledged covers only ${position}`,
        );
        check(log.status().snapshot, position, 'status().snapshot is the position of the newest checkpoint');
        check(machine.heldCaptures, 0, 'a capture must be released when its snapshot is written');
        check(await log.checkpoint(), position, 'a checkpoint with nothing new is where the last one was');
        await leader.commit('two');
      }));

    it('given no entries, then a checkpoint does no harm', () =>
      withLeader(harness, async ({ log, leader }) => {
        await log.checkpoint();
        await leader.commit('one');
        check(
          texts(await readAll(log, { after: log.status().snapshot })),
          ['one'],
          'appends go on behind an empty checkpoint',
        );
      }));

    it('given an aborted signal, then a checkpoint rejects with its reason and changes nothing', () =>
      withLeader(harness, async ({ log, leader }) => {
        await leader.commit('one');
        const reason = new Error('not now');
        const signal = AbortSignal.abort(reason);
        check(
          await rejectionReason(log.checkpoint({ signal })),
          reason,
          "checkpoint must reject with the signal's reason",
        );
        check(texts(await readAll(log, { after: 0 })), ['one'], 'an aborted checkpoint must forget nothing');
      }));

    it('given many at once, then each covers what was acknowledged before its call', () =>
      withLeader(harness, async ({ log, leader }) => {
        const pairs: Promise<boolean>[] = [];
        for (let round = 0; round < 5; round++) {
          const acknowledged = await leader.commit(`round ${round}`);
          pairs.push(
            log.checkpoint({ discard: round % 2 === 0 }).then((position) => position >= acknowledged),
          );
        }
        check(
          await Promise.all(pairs),
          Array(5).fill(true),
          'each checkpoint must cover all that was acknowledged before it',
        );
      }));
  });

  if (!harness.reopens) return;

  const open = async (fixture: EventLogFixture) => {
    const log = fixture.log();
    const machine = new RecordingMachine();
    const report = await log.open(machine);
    return { log, machine, report, leader: await nextLeader(log) };
  };

  /** Closes, opens again, and compares the state. */
  const checkReopened = async (fixture: EventLogFixture, before: RecordingMachine, epochBefore: number) => {
    const opened = await open(fixture);
    const rule = 'what was acknowledged must be there after opening again, in order, nothing doubled';
    check(opened.machine.payloads, before.payloads, rule);
    check(
      opened.machine.digest(),
      before.digest(),
      'the state must be the same by its digest, positions among it',
    );
    check(
      opened.leader.epoch > epochBefore,
      true,
      'no two leaderships in the life of a log may share an epoch',
    );
    const position = await opened.leader.commit('after opening again');
    check(position > before.position, true, 'positions must grow across restarts');
    await opened.log.close();
  };

  describe('opening again', () => {
    it('given entries and an orderly close, then the state is as it was', () =>
      withFixture(harness, async (fixture) => {
        const first = await open(fixture);
        for (let index = 0; index < 300; index++) first.leader.send(`entry ${index}`);
        await first.leader.commit('last');
        await first.log.close();
        await checkReopened(fixture, first.machine, first.leader.epoch);
      }));

    it('given a checkpoint and entries behind it, then only those are replayed onto the snapshot', () =>
      withFixture(harness, async (fixture) => {
        const first = await open(fixture);
        for (let index = 0; index < 250; index++) first.leader.send(`entry ${index}`);
        await first.leader.commit('covered');
        const snapshotPosition = await first.log.checkpoint();
        await first.leader.commit('behind');
        await first.log.close();
        const again = await open(fixture);
        const { entriesReplayed } = again.report;
        check(
          again.report.snapshotPosition,
          snapshotPosition,
          'the report tells which snapshot was restored',
        );
        check(entriesReplayed, 1, 'what a snapshot covers must not be replayed onto it');
        check(texts(again.machine.entries), ['behind'], 'what a snapshot covers must not be applied again');
        check(again.machine.digest(), first.machine.digest(), 'snapshot and replay must give the same state');
        await again.log.close();
      }));

    it('given appends while a snapshot is written, then it does not hold them up, and neither is lost', () =>
      withFixture(harness, async (fixture) => {
        const first = await open(fixture);
        for (let index = 0; index < 250; index++) await first.leader.commit(`before ${index}`);
        const captured = gate();
        const release = gate();
        first.machine.onCapture = captured.open;
        first.machine.beforeLastChunk = release.opened;
        const checkpoint = first.log.checkpoint();
        await captured.opened;
        // If this hangs, the engine waits for the snapshot before it commits: phase two must run beside appends.
        for (let index = 0; index < 50; index++) await first.leader.commit(`beside ${index}`);
        release.open();
        const position = await checkpoint;
        check(position < first.machine.position, true, 'a snapshot is of the moment of its capture');
        await first.log.close();
        await checkReopened(fixture, first.machine, first.leader.epoch);
      }));

    it('given several generations of restarts and checkpoints, then the state is as it was', () =>
      withFixture(harness, async (fixture) => {
        const model: string[] = [];
        let epoch = 0;
        for (let generation = 0; generation < 6; generation++) {
          const { log, leader, machine } = await open(fixture);
          check(machine.payloads, model, `generation ${generation} must start where the last one ended`);
          check(leader.epoch > epoch, true, 'epochs grow with every opening');
          epoch = leader.epoch;
          for (let index = 0; index < 5; index++) {
            const text = `${generation}.${index}`;
            await leader.commit(text);
            model.push(text);
            if (index === generation % 5) await log.checkpoint({ discard: generation % 2 === 0 });
          }
          await log.close();
        }
      }));
  });

  if (harness.crashes) {
    describe('a crash', () => {
      it('given acknowledged appends, then they are there after it; others only as a prefix of what was sent', () =>
        withFixture(harness, async (fixture) => {
          let model: string[] = [];
          for (let generation = 0; generation < 5; generation++) {
            const { log, leader, machine } = await open(fixture);
            check(
              machine.payloads.slice(0, model.length),
              model,
              'acknowledged appends must survive a crash, in order',
            );
            const sentBefore = [...machine.payloads];
            const names = Array.from({ length: 20 }, (_, index) => `${generation}.${index}`);
            const outcomes = names.map((name) => leader.send(name));
            await outcomes[7];
            const acknowledged = machine.entries.filter(({ epoch }) => epoch === leader.epoch).length;
            await fixture.crash?.(log);
            await log.close();
            model = [...sentBefore, ...names.slice(0, Math.max(8, acknowledged))];
            const whole = [...sentBefore, ...names];
            const after = await open(fixture);
            const { payloads } = after.machine;
            check(
              payloads.slice(0, model.length),
              model,
              'acknowledged appends must survive a crash, in order',
            );
            check(
              payloads,
              whole.slice(0, payloads.length),
              'what else survives must be a prefix of what was sent',
            );
            model = payloads;
            await fixture.crash?.(after.log);
            await after.log.close();
          }
        }));
    });
  }

  if (!harness.fillsDisk) return;

  describe('a full disk', () => {
    it('then appends are refused and nothing of them is kept, reads go on, and with room the next epoch begins', () =>
      withFixture(harness, async (fixture) => {
        const { log, leader, machine } = await open(fixture);
        await leader.commit('before');
        await fixture.fillDisk?.();
        const refused = await appendUntilFull(leader);
        check(
          brief(refused.outcome),
          'rejected: disk-full',
          'an append that finds no room must be rejected as disk-full',
        );
        const kept = ['before', ...refused.committed];
        check(machine.payloads, kept, 'a refused append must not be applied');
        check(texts(await readAll(log, { after: 0 })), kept, 'reads must go on while the disk is full');
        check(
          await log.barrier().then(
            () => true,
            () => 'rejected',
          ),
          true,
          'a barrier needs no room on the disk',
        );
        await fixture.freeDisk?.();
        const next = await nextLeader(log, leader.epoch);
        await next.commit('after');
        await log.close();
        const again = await open(fixture);
        check(again.machine.payloads, [...kept, 'after'], 'refused appends must not come back');
        await again.log.close();
      }));

    it('given appends in flight, then all behind the refused one are refused', () =>
      withFixture(harness, async (fixture) => {
        const { log, leader, machine } = await open(fixture);
        await fixture.fillDisk?.();
        const payload = new Uint8Array(64 * 1024);
        const outcomes = await Promise.all(Array.from({ length: 60 }, () => leader.send(payload)));
        const committed = outcomes.filter(({ kind }) => kind === 'committed').length;
        const names = outcomes.map(brief);
        check(
          names.slice(0, committed),
          Array(committed).fill('committed'),
          'what was committed must be a prefix',
        );
        const others = new Set(names.slice(committed));
        const refusals = [
          'rejected: disk-full',
          'rejected: out-of-sequence',
          'rejected: fenced',
          'rejected: not-leader',
        ];
        check(
          [...others].filter((name) => !refusals.includes(name)),
          [],
          'all behind a refused append must be rejected, never unknown',
        );
        check(machine.count, committed, 'refused appends must not be applied');
        await fixture.freeDisk?.();
        await closeAndCompare(fixture, log, machine);
      }));

    const appendUntilFull = async (leader: Leader) => {
      const committed: string[] = [];
      for (let index = 0; ; index++) {
        const text = `${index}:`.padEnd(900, '.');
        const outcome = await leader.send(text);
        if (outcome.kind !== 'committed' || index > 100_000) return { outcome, committed };
        committed.push(text);
      }
    };

    const closeAndCompare = async (fixture: EventLogFixture, log: EventLog, machine: RecordingMachine) => {
      await log.close();
      const again = await open(fixture);
      check(
        again.machine.payloads,
        machine.payloads,
        'after a full disk nothing acknowledged may be lost or added',
      );
      await again.log.close();
    };
  });
}
