/**
 * A cluster process is killed with SIGKILL in the middle of its work, again and again, and started again on the same
 * directory. Whatever it acknowledged must be there, and no task may run twice. The moments of the kills come from a
 * seed: so many lines after the start, each line an acknowledgement or a step of a task.
 */

import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { seededRandom } from '@skep/core';
import { describe, expect, it } from 'vitest';

const HOLDER = fileURLToPath(new URL('kill-nine/holder.ts', import.meta.url));
const KILLS = 5;
const COMMANDS = 4;
const SEED = 20_251;

type Line =
  | { readonly kind: 'open' | 'converged'; readonly services: [string, number][]; readonly tasks?: string[] }
  | { readonly kind: 'acknowledged'; readonly name: string; readonly replicas: number }
  | { readonly kind: 'step' };

interface Holder {
  readonly child: ChildProcess;
  readonly lines: AsyncIterable<Line>;
  readonly exited: Promise<void>;
}

function start(dir: string, run: string, first: number): Holder {
  const child = spawn(
    process.execPath,
    ['--conditions=@skep/source', '--import=tsx', HOLDER, dir, run, String(first), String(COMMANDS)],
    { stdio: ['pipe', 'pipe', 'inherit'] },
  );
  const exited = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  const reader = createInterface({ input: child.stdout ?? process.stdin });
  const lines = (async function* () {
    for await (const text of reader) yield JSON.parse(text) as Line;
  })();
  return { child, lines, exited };
}

/** The live tasks of this run, by the environment that only they have. The wrapper over each is not counted. */
async function liveTasks(run: string): Promise<{ readonly pid: number; readonly slot: string }[]> {
  const tasks: { pid: number; slot: string }[] = [];
  for (const pid of await readdir('/proc')) {
    if (!/^\d+$/.test(pid)) continue;
    // A process may be gone between the listing and the reading.
    const [environment, command] = await Promise.all([
      readFile(`/proc/${pid}/environ`, 'utf8').catch(() => ''),
      readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => ''),
    ]);
    const variables = new Map(
      environment.split('\0').map((pair) => pair.split(/=(.*)/s) as [string, string]),
    );
    const [program = ''] = command.split('\0');
    if (variables.get('SKEP_TEST_RUN') !== run || !program.endsWith('sleep')) continue;
    const slot = `${variables.get('SKEP_SERVICE_NAME')}.${variables.get('SKEP_TASK_SLOT')}`;
    tasks.push({ pid: Number(pid), slot });
  }
  return tasks;
}

async function liveSlots(run: string): Promise<string[]> {
  return (await liveTasks(run)).map(({ slot }) => slot).sort();
}

/** Runs the holder until it has told so many lines, then kills it. Adds what was acknowledged. */
async function runAndKill(holder: Holder, lines: number, acknowledged: Map<string, number>): Promise<void> {
  let seen = 0;
  for await (const line of holder.lines) {
    if (line.kind === 'open') expectAcknowledged(line.services, acknowledged);
    if (line.kind === 'acknowledged') acknowledged.set(line.name, line.replicas);
    seen += 1;
    if (seen === lines) holder.child.kill('SIGKILL');
  }
  await holder.exited;
}

/** A command that was not acknowledged may have been carried out all the same; one that was must have been. */
function expectAcknowledged(services: readonly [string, number][], acknowledged: Map<string, number>): void {
  const present = new Map(services);
  for (const [name, replicas] of acknowledged) {
    expect(present.get(name), `replicas of ${name}`).toBeGreaterThanOrEqual(replicas);
  }
}

describe('given a cluster process on disk with real tasks, under commands', () => {
  it.skipIf(process.platform !== 'linux')(
    'when it is killed at random moments and started again, then nothing acknowledged is lost and no task runs twice (needs Linux: it reads /proc)',
    async () => {
      const random = seededRandom(SEED);
      const dir = await mkdtemp(join(tmpdir(), 'skep-kill-nine-'));
      const run = `run-${process.pid}-${Date.now()}`;
      const acknowledged = new Map<string, number>();
      let first = 0;
      try {
        for (let kill = 0; kill < KILLS; kill += 1) {
          const lines = 1 + Math.floor(random.next() * COMMANDS * 10);
          await runAndKill(start(dir, run, first), lines, acknowledged);
          first += COMMANDS;
          const slots = await liveSlots(run);
          expect(new Set(slots).size, `two processes in one slot after kill ${kill}: ${slots}`).toBe(
            slots.length,
          );
        }

        const last = start(dir, run, first);
        let converged: Extract<Line, { kind: 'open' | 'converged' }> | undefined;
        for await (const line of last.lines) {
          if (line.kind === 'acknowledged') acknowledged.set(line.name, line.replicas);
          if (line.kind !== 'converged') continue;
          converged = line;
          break;
        }
        expectAcknowledged(converged?.services ?? [], acknowledged);
        const wanted = (converged?.services ?? []).flatMap(([name, replicas]) => {
          return Array.from({ length: replicas }, (_, slot) => `${name}.${slot + 1}`);
        });
        expect(await liveSlots(run)).toEqual(wanted.sort());

        last.child.stdin?.end();
        await last.exited;
        expect(await liveSlots(run)).toEqual([]);
      } finally {
        for (const { pid } of await liveTasks(run)) process.kill(pid, 'SIGKILL');
        await rm(dir, { recursive: true, force: true });
      }
    },
    180_000,
  );
});
