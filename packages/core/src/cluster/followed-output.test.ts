import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { LogChunk } from '../driver/runtime-driver.ts';
import { DriverError, UnavailableError } from '../errors.ts';
import { SimulatedClock } from '../testing/simulated-clock.ts';
import { followedOutput } from './followed-output.ts';

const encoded = (text: string) => new TextEncoder().encode(text);
const textOf = (chunks: readonly LogChunk[], stream: LogChunk['stream']) =>
  chunks
    .filter((chunk) => chunk.stream === stream)
    .map(({ data }) => new TextDecoder().decode(data))
    .join('');

/** Pieces of the same moment and stream as one: where a driver cuts its output is its own affair. */
function joined(chunks: readonly LogChunk[]): LogChunk[] {
  const found: LogChunk[] = [];
  for (const chunk of chunks) {
    const last = found.at(-1);
    if (last?.at === chunk.at && last.stream === chunk.stream) {
      found[found.length - 1] = { ...last, data: Buffer.concat([last.data, chunk.data]) };
    } else found.push(chunk);
  }
  return found;
}

const output = fc
  .array(
    fc.record({
      stream: fc.constantFrom('stdout' as const, 'stderr' as const),
      later: fc.integer({ min: 0, max: 2 }),
      text: fc.string({ minLength: 1, maxLength: 4, unit: fc.constantFrom('a', 'b', '\n') }),
    }),
    { maxLength: 30 },
  )
  .map((pieces) => {
    let at = 1_000;
    return pieces.map(({ stream, later, text }): LogChunk => {
      at += later;
      return { stream, at, data: encoded(text) };
    });
  });

async function read(chunks: AsyncIterable<LogChunk>, clock: SimulatedClock): Promise<LogChunk[]> {
  const found: LogChunk[] = [];
  const done = (async () => {
    for await (const chunk of chunks) found.push(chunk);
  })();
  let isDone = false;
  const settled = done.finally(() => {
    isDone = true;
  });
  settled.catch(() => {});
  while (!isDone) await clock.advance(100);
  await settled;
  return found;
}

describe('given the output of a task that is followed', () => {
  it('when it breaks off again and again, then all of it comes, and each byte once', async () => {
    await fc.assert(
      fc.asyncProperty(
        output,
        fc.array(fc.tuple(fc.nat({ max: 12 }), fc.boolean()), { maxLength: 5 }),
        async (all, breaks) => {
          const clock = new SimulatedClock();
          const left = [...breaks];
          const { signal } = new AbortController();
          const chunks = followedOutput(
            {},
            {
              ...{ clock, signal, isOver: () => false },
              async *read({ since = 0 }) {
                const wanted = all.filter(({ at }) => at >= since);
                const [after, joins] = left.shift() ?? [Number.POSITIVE_INFINITY, false];
                let given = 0;
                for (const chunk of joins ? joined(wanted) : wanted) {
                  if (given++ >= after) throw new UnavailableError('no-session', 'the node is away');
                  yield chunk;
                }
                if (after !== Number.POSITIVE_INFINITY) {
                  throw new UnavailableError('no-session', 'the node is away');
                }
              },
            },
          );
          const told = await read(chunks, clock);
          for (const stream of ['stdout', 'stderr'] as const) {
            expect(textOf(told, stream)).toBe(textOf(all, stream));
          }
        },
      ),
    );
  });

  it('when there can be no more, or the driver refuses, then it ends with what stood in the way', async () => {
    const clock = new SimulatedClock();
    const { signal } = new AbortController();
    const failing = (error: Error, isOver: boolean) =>
      read(
        followedOutput(
          {},
          {
            ...{ clock, signal, isOver: () => isOver },
            // biome-ignore lint/correctness/useYield: it fails before there is anything to give.
            async *read() {
              throw error;
            },
          },
        ),
        clock,
      );
    await expect(failing(new UnavailableError('no-session', 'away'), true)).rejects.toThrow('away');
    await expect(failing(new DriverError('no such output'), false)).rejects.toThrow('no such output');
  });

  it('when whoever reads gives up while the node is away, then it ends', async () => {
    const clock = new SimulatedClock();
    const end = new AbortController();
    const chunks = followedOutput(
      { tail: 1 },
      {
        ...{ clock, signal: end.signal, isOver: () => false },
        // biome-ignore lint/correctness/useYield: it fails before there is anything to give.
        async *read() {
          throw new UnavailableError('no-session', 'away');
        },
      },
    );
    const reading = read(chunks, clock);
    reading.catch(() => {});
    end.abort(new Error('enough'));
    await expect(reading).rejects.toThrow();
  });
});
