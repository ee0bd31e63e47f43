import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FileHistoryStore } from '../file/history/file-history-store.ts';
import { SimulatedDisk } from '../file/simulated-disk.ts';
import { seededRandom } from '../runtime/random.ts';
import type { Change, ObjectKind } from '../state/change.ts';
import { anyHistory } from '../testing/histories.ts';
import { all, HistoryFixture, textOf } from './history-fixture.ts';
import type { HistoryStore } from './history-store.ts';
import { MemoryHistoryStore } from './memory-history-store.ts';
import type { HistorySubject } from './subject.ts';

const key = () => ({ id: 'test', key: new Uint8Array(32).fill(7) });
const keyProvider = { currentKey: async () => key(), keyById: async () => key().key };

const stores: Readonly<Record<string, () => HistoryStore>> = {
  'in memory': () => new MemoryHistoryStore(),
  'on disk': () => {
    const random = seededRandom(1);
    return new FileHistoryStore({
      dir: '/history',
      disk: new SimulatedDisk(seededRandom(2)),
      keyProvider,
      random,
    });
  },
};

// The transactions are of 1970.
const BOUNDS = { checkpointEvery: 4, maxAgeMs: Number.POSITIVE_INFINITY };

/** What was changed of an object, as the story of it should say. */
const told = ({ kind, before, after }: Change) => ({ kind, before, object: after ?? before });

describe.each(Object.entries(stores))(
  'given any history, kept %s with a checkpoint every 4 events',
  (_, store) => {
    it('then each state is given back as it was, in any order', async () => {
      await fc.assert(
        fc.asyncProperty(
          anyHistory({ maxTransactions: 25 }),
          fc.infiniteStream(fc.nat()),
          async (transactions, lots) => {
            const fixture = await new HistoryFixture().open(store(), BOUNDS);
            fixture.commit(...transactions);
            for (let round = 0; round < 12; round += 1) {
              const index = 1 + ((lots.next().value ?? 0) % transactions.length);
              const state = await fixture.run(fixture.history.at(index));
              const expected = fixture.states[index];
              expect(expected && textOf(state)).toBe(expected && textOf(expected));
            }
            await fixture.run(fixture.history.close());
            expect(fixture.warnings).toEqual([]);
          },
        ),
        { numRuns: 30 },
      );
    });

    it('then the story of all, and of each object, is what was changed', async () => {
      await fc.assert(
        fc.asyncProperty(anyHistory({ maxTransactions: 25 }), async (transactions) => {
          const fixture = await new HistoryFixture().open(store(), BOUNDS);
          fixture.commit(...transactions);
          const changes = fixture.changes.flatMap((set) => set.changes);
          const story = async (subject?: HistorySubject) => {
            const events = await fixture.run(all(fixture.history.story(subject)));
            return events.map((event) => {
              if (event.type === 'gap') throw new Error('there is a gap');
              const { kind, object, before } = event;
              return { kind, before, object };
            });
          };
          expect(await story()).toEqual(changes.map(told));
          const subjects = new Map<string, ObjectKind>();
          for (const { kind, before, after } of changes) subjects.set((after ?? before)?.id ?? '', kind);
          for (const [id, kind] of subjects) {
            const ofObject = changes.filter(({ before, after }) => (after ?? before)?.id === id);
            const subject = kind === 'cluster' ? { cluster: true } : { [kind]: id };
            expect(await story(subject as HistorySubject)).toEqual(ofObject.map(told));
            if (kind !== 'service') continue;
            const withTasks = changes.filter(({ before, after }) => {
              const object = after ?? before;
              return object && (object.id === id || ('serviceId' in object && object.serviceId === id));
            });
            expect(await story({ service: id, tasks: true })).toEqual(withTasks.map(told));
          }
          await fixture.run(fixture.history.close());
        }),
        { numRuns: 30 },
      );
    });
  },
);
