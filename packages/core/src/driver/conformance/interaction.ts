/** The promises about commands that run beside a task and are worked with: input, output, terminal, end. */

import type { ExecInput, ExecOptions, ExecOutput, TaskRuntime } from '../runtime-driver.ts';
import type { DriverTestApi, Scene, SceneTest } from './harness.ts';

const bytes = (text: string) => new TextEncoder().encode(text);

/** Gives these, then ends. */
async function* pieces(...inputs: readonly (string | ExecInput)[]): AsyncGenerator<ExecInput> {
  for (const input of inputs) yield typeof input === 'string' ? { kind: 'data', data: bytes(input) } : input;
}

/** Gives this, and never ends. */
async function* endless(text: string): AsyncGenerator<ExecInput> {
  yield* pieces(text);
  await new Promise<never>(() => {});
}

/** All that a command gives back. */
async function told(outputs: AsyncIterable<ExecOutput>) {
  const decoder = new TextDecoder();
  const found = { text: '', exitCode: -1, kinds: [] as string[] };
  for await (const output of outputs) {
    found.kinds.push(output.kind);
    if (output.kind === 'exit') found.exitCode = output.exitCode;
    else found.text += decoder.decode(output.data, { stream: true });
  }
  return found;
}

/** A running task's way to work with a command; undefined where the driver has none. */
async function beside(scene: Scene) {
  const task = scene.task({ kind: 'runs' });
  await scene.started(task);
  const runtime: TaskRuntime = scene.driver.runtime(task);
  const { interactive } = (await scene.run(scene.driver.describe())).capabilities;
  const { signal } = scene;
  if (interactive === undefined || !runtime.execInteractive) return undefined;
  const exec = runtime.execInteractive.bind(runtime);
  const work = (command: readonly string[], options: Partial<ExecOptions> = {}) =>
    exec(command, { input: pieces(), signal, ...options });
  return { task, interactive, work };
}

/** Registers the tests of `execInteractive`. */
export function describeInteraction({ describe, expect }: DriverTestApi, test: SceneTest): void {
  describe('a command that is worked with', () => {
    test('given what the description declares, when a handle is looked at, then it can just so', async (scene) => {
      const { interactive } = (await scene.run(scene.driver.describe())).capabilities;
      const runtime = scene.driver.runtime(scene.task({ kind: 'runs' }));
      expect(interactive === undefined || runtime.execInteractive !== undefined).toBe(true);
    });

    test('given a command that reads, when its input comes and ends, then it all comes back, and the exit code last', async (scene) => {
      const command = await beside(scene);
      if (!command) return;
      const large = 'x'.repeat(300_000);
      const { text, exitCode, kinds } = await scene.run(
        told(command.work(['cat'], { input: pieces('one\n', 'two\n', large) })),
      );
      expect(text === `one\ntwo\n${large}`).toBe(true);
      expect(exitCode).toBe(0);
      expect(kinds.indexOf('exit')).toBe(kinds.length - 1);
      expect((await scene.run(told(command.work(['false'])))).exitCode).toBe(1);
    });

    test('given a command that waits for input, when the signal aborts, then it ends with that reason, and the task runs on', async (scene) => {
      const command = await beside(scene);
      if (!command) return;
      const giveUp = new AbortController();
      const reason = new Error('seen enough');
      const outputs = command.work(['cat'], { input: endless('one'), signal: giveUp.signal });
      const reading = async () => {
        for await (const _ of outputs) giveUp.abort(reason);
      };
      expect((await scene.rejection(reading())) === reason).toBe(true);
      expect(await scene.machine.alive(command.task)).toBe(1);
    });

    test('given a terminal is asked for, when the driver has them, then it has the size that is told, else it is refused', async (scene) => {
      const command = await beside(scene);
      if (!command) return;
      const size = { kind: 'resize', columns: 132, rows: 43 } as const;
      const program = ['sh', '-c', 'test -t 0 && echo terminal; read line; stty size; cat'];
      const input = pieces(size, 'go\n', 'said\n');
      const running = told(command.work(program, { input, tty: true }));
      if (command.interactive === 'pipes') {
        await scene.rejection(running);
        return;
      }
      const { text, exitCode } = await scene.run(running);
      expect(text.includes('terminal')).toBe(true);
      expect(text.includes('43 132')).toBe(true);
      expect(text.includes('said')).toBe(true);
      expect(exitCode).toBe(0);
    });

    test('given a task that has ended, when a command is to run beside it, then that rejects', async (scene) => {
      const { driver, signal, run } = scene;
      const task = scene.task({ kind: 'exits', code: 0 });
      await scene.started(task);
      const runtime = driver.runtime(task);
      await run(runtime.wait({ signal }));
      if (runtime.execInteractive) {
        await scene.rejection(told(runtime.execInteractive(['cat'], { input: pieces(), signal })));
      }
    });
  });
}
