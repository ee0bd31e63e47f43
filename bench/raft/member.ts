/** The program of a member under measurement: a node on a sealed disk over mutual TLS, and loops inside of it. */

import { randomBytes } from 'node:crypto';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { createSecureContext } from 'node:tls';
import { serveMember } from '../../packages/raft/src/adapters/test-support/member-process.ts';
import { Prober } from '../harness/prober.ts';
import { BlockStore, putCommand } from './block-store.ts';
import { closedLoops } from './closed-loop.ts';
import { openDoor, REQUEST } from './door.ts';

const VALUE_BYTES = 256;
const PROBE_MS = 5;
const OK = Uint8Array.of(1);
const NOT_COMMITTED = Uint8Array.of(0);
const keys = Number(process.env['SKEP_BENCH_KEYS'] ?? 1000);

serveMember(
  () => new BlockStore(keys, VALUE_BYTES),
  ({ node, machine, metrics, storage, config }) => {
    const madeAt = performance.now();
    const value = randomBytes(VALUE_BYTES);
    const delay = monitorEventLoopDelay({ resolution: 1 });
    let prober: Prober | undefined;
    const put = async (key: number) => {
      const { kind } = await node.propose(putCommand(key % keys, value));
      if (kind !== 'committed') throw new Error(`a proposal was ${kind}`);
    };
    return {
      /** Proposers inside of this process. */
      put: (proposers: number, seconds: number) => closedLoops(proposers, seconds, put),
      /** So many entries as fast as it takes them. */
      fill: async (entries: number) => {
        let left = entries;
        const loop = async () => {
          for (let key = left--; key > 0; key = left--) await put(key);
        };
        await Promise.all(Array.from({ length: 2000 }, loop));
      },
      /** Readers inside of this process. */
      read: (readers: number, seconds: number, mode: 'linearizable' | 'lease') =>
        closedLoops(readers, seconds, async (number) => {
          await node.readBarrier({ mode });
          return machine.get(number % keys);
        }),
      door: () =>
        openDoor(createSecureContext({ ...config.identity }), async (request, body) => {
          if (request === REQUEST.put) {
            const { kind } = await node.propose(body.slice());
            return kind === 'committed' ? OK : NOT_COMMITTED;
          }
          await node.readBarrier();
          return machine.get(new DataView(body.buffer, body.byteOffset).getUint32(4) % keys);
        }),
      probe: (loops: number) => {
        prober ??= new Prober({
          attempt: async (key) => (await node.propose(putCommand(key % keys, value))).kind === 'committed',
          isRunning: () => node.state === 'running',
          everyMs: PROBE_MS,
        });
        prober.start(loops);
      },
      firstSince: (at: number) => prober?.firstSince(at),
      watchLoop: () => {
        delay.reset();
        delay.enable();
      },
      longestPauseMs: () => {
        delay.disable();
        return delay.max / 1e6;
      },
      /** Waits until the entry is applied. @returns how long after the node was made. */
      applied: async (index: number) => {
        await node.waitApplied(index);
        return performance.now() - madeAt;
      },
      largest: () => metrics.largest,
      storage: () => storage.status,
      memory: () => process.memoryUsage(),
    };
  },
);
