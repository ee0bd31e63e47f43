/** The simulated driver's side of the conformance suite: a machine on which every task that the suite wants is a script. */

import type { DriverMachine, TaskKind } from '../driver/conformance.ts';
import type { ExecOptions, ExecOutput, RuntimeDriver } from '../driver/runtime-driver.ts';
import { type ClusterId, type NodeId, newId } from '../model/ids.ts';
import type { TaskSpecInput } from '../model/task-spec.ts';
import { silentLogger } from '../runtime/logger.ts';
import { seededRandom } from '../runtime/random.ts';
import { SimulatedClock } from './simulated-clock.ts';
import { SimulatedDriver } from './simulated-driver.ts';
import { SimulatedHost } from './simulated-host.ts';

/** A fresh machine; its drivers enforce limits or refuse them, and may be changed, to be broken, by `change`. */
export function createSimulatedMachine({
  limits,
  change = (driver) => driver,
}: {
  readonly limits: boolean;
  readonly change?: (driver: SimulatedDriver) => RuntimeDriver;
}): Promise<DriverMachine> {
  const clock = new SimulatedClock();
  const host = new SimulatedHost({
    clock,
    unknownImages: 'reject',
    images: {
      runs: { prepareMs: [1, 20], startMs: 5, stopMs: 3, execInteractive: workedWith },
      stubborn: { ignoreStop: true, output: [{ line: 'ignoring' }] },
      broken: { failStart: 'no such program: broken' },
    },
  });
  const codes = new Map<string, number>();
  const random = seededRandom(7);
  const exits = ({ code, stdout = [], stderr = [] }: Extract<TaskKind, { kind: 'exits-when-told' }>) => {
    const image = `prints-${codes.size}`;
    codes.set(image, code);
    host.setBehaviour(image, {
      output: [
        ...stdout.map((line, index) => ({ line, afterMs: index })),
        ...stderr.map((line) => ({ line, stream: 'stderr' as const })),
      ],
    });
    return image;
  };
  const image = (kind: TaskKind): string => {
    switch (kind.kind) {
      case 'runs':
        return 'runs';
      case 'ignores-stop':
        return 'stubborn';
      case 'exits':
        host.setBehaviour(`exits-${kind.code}`, { runMs: 50, exitCode: kind.code });
        return `exits-${kind.code}`;
      case 'exits-when-told':
        return exits(kind);
      case 'unknown-image':
        return 'no-such-image';
      case 'bad-command':
        return 'broken';
    }
  };
  return Promise.resolve({
    context: {
      clusterId: newId<ClusterId>(random),
      nodeId: newId<NodeId>(random),
      hostname: 'simulated',
      clock,
      logger: silentLogger,
    },
    createDriver: () =>
      change(
        new SimulatedDriver({
          host,
          description: {
            capabilities: {
              exec: true,
              interactive: 'pipes',
              stats: true,
              limits: { cpus: limits, memory: limits, pids: limits },
            },
          },
        }),
      ),
    abandon: () => Promise.resolve(),
    spec: (kind): TaskSpecInput => ({ image: image(kind) }),
    tell: (task) => {
      host.end(task.id, { exitCode: codes.get(task.spec.image ?? '') ?? 0 });
      return Promise.resolve();
    },
    kill: (task) => Promise.resolve(host.kill(task.id)),
    alive: (task) => Promise.resolve(host.running().filter((runtime) => runtime.id === task.id).length),
    leftovers: () => Promise.resolve(host.runtimes().map((runtime) => runtime.id)),
    run: (work) => clock.run(work),
    freePort: () => Promise.resolve(8_080),
    dispose: () => {
      for (const { id } of host.runtimes()) host.remove(id);
      return Promise.resolve();
    },
  });
}

/** The commands that the suite works with: `false`, and `cat`, which gives back what it is given. */
async function* workedWith(
  [program]: readonly string[],
  { input, signal }: ExecOptions,
): AsyncGenerator<ExecOutput, void, undefined> {
  const aborted = new Promise<never>((_, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason), { once: true });
  });
  aborted.catch(() => {});
  const pieces = input[Symbol.asyncIterator]();
  while (program === 'cat') {
    const next = await Promise.race([pieces.next(), aborted]);
    if (next.done) break;
    if (next.value.kind === 'data') yield { kind: 'output', stream: 'stdout', data: next.value.data };
  }
  yield { kind: 'exit', exitCode: program === 'false' ? 1 : 0 };
}
