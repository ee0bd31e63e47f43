import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import * as path from 'node:path';
import { describeEventLog } from '@skep/core/log/conformance';
import { describe, expect, it } from 'vitest';
import { FileStorage } from '../adapters/file-storage/file-storage.ts';
import { KeyRing } from '../adapters/file-storage/keys.ts';
import { systemRaftClock } from '../node/system-clock.ts';
import { TestCluster } from '../node/test-support/cluster.ts';
import { RaftEventLog } from './raft-event-log.ts';

let seed = 100;

describeEventLog(
  'Raft with a single member on a sealed disk',
  {
    reopens: true,
    create: async () => {
      const cluster = new TestCluster(++seed);
      const directory = await mkdtemp(path.join(tmpdir(), 'skep-raft-'));
      const keys = new KeyRing({ id: 'one', key: new Uint8Array(32).fill(7) });
      let last: RaftEventLog | undefined;
      return {
        log: () => {
          const storage = new FileStorage({ directory, keys, preallocateBytes: 65_536 });
          last = new RaftEventLog({
            ...cluster.parts('a', ['a']),
            storage,
            // A real disk takes real time.
            clock: systemRaftClock,
            inFlightMax: 12_000,
            storageKeeps: { durable: true, encryptedAtRest: true },
          });
          return last;
        },
        dispose: async () => {
          await last?.close();
          await rm(directory, { recursive: true, force: true });
        },
      };
    },
  },
  { describe, it, expect },
);
