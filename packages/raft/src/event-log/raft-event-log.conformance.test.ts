import { describeEventLog, RecordingMachine } from '@skep/core/log/conformance';
import { describe, expect, it } from 'vitest';
import { TestCluster } from '../node/test-support/cluster.ts';
import { RaftEventLog } from './raft-event-log.ts';

let seed = 0;

describeEventLog(
  'Raft with a single member',
  {
    reopens: true,
    crashes: true,
    create: async () => {
      const cluster = new TestCluster(++seed).run();
      let last: RaftEventLog | undefined;
      return {
        log: () => {
          last = new RaftEventLog({ ...cluster.parts('a', ['a']), inFlightMax: 12_000 });
          return last;
        },
        crash: async () => cluster.disk('a').crash(),
        dispose: async () => {
          await last?.close();
          await cluster.stop();
        },
      };
    },
  },
  { describe, it, expect },
);

const VOTERS = ['a', 'b', 'c'];

describeEventLog(
  'Raft as the leader of three members',
  {
    reopens: true,
    crashes: true,
    endsEpochs: true,
    create: async () => {
      const cluster = new TestCluster(++seed).run();
      const logs: RaftEventLog[] = [];
      const make = (id: string) => {
        const log = new RaftEventLog({ ...cluster.parts(id, VOTERS), inFlightMax: 12_000 });
        logs.push(log);
        return log;
      };
      // Whoever else comes to lead hands over to the log that is tried, as often as it takes.
      const handOver = async (log: RaftEventLog) => {
        if (log.leadership().role !== 'leader') return;
        await log.node.transferLeadership('a');
        cluster.clock.setTimer(50, () => void handOver(log));
      };
      for (const id of ['b', 'c']) {
        const log = make(id);
        log.onLeadership(() => void handOver(log));
        await log.open(new RecordingMachine());
      }
      return {
        log: () => make('a'),
        crash: async () => cluster.disk('a').crash(),
        endEpoch: async (log) => {
          const epoch = log.leadership().epoch;
          const mine = logs.find((each) => each === log);
          await mine?.node.transferLeadership('b');
          if (log.leadership().epoch === epoch) throw new Error('the epoch did not end');
        },
        dispose: async () => {
          for (const log of logs) await log.close();
          await cluster.stop();
        },
      };
    },
  },
  { describe, it, expect },
);
