/** The promises about what a task prints and uses, and about commands run beside it. */

import { type DriverTestApi, readOutput, type SceneTest } from './harness.ts';

const LINES = ['first', 'second', 'third'] as const;
const TEXT = 'first\nsecond\nthird\n';

/** Registers the tests of logs, exec and stats. */
export function describeOutput({ describe, expect }: DriverTestApi, test: SceneTest): void {
  describe('output', () => {
    test('given a task that prints to both streams, when its output is followed, then all comes, and ends with it', async (scene) => {
      const { driver, machine, run } = scene;
      const task = scene.task({ kind: 'exits-when-told', code: 0, stdout: LINES, stderr: ['oops'] });
      await scene.started(task);
      const runtime = driver.runtime(task);
      const seen = await run(
        readOutput(runtime.logs({ follow: true }), (text) => text.length >= TEXT.length + 5),
      );
      expect(seen).toEqual({ stdout: TEXT, stderr: 'oops\n' });
      const followed = readOutput(runtime.logs({ follow: true }));
      await machine.tell(task);
      expect(await run(followed)).toEqual({ stdout: TEXT, stderr: 'oops\n' });
    });

    test('given a task that has ended, when its output is read, then all of it, its tail or none since later comes', async (scene) => {
      const { driver, machine, signal, run } = scene;
      const task = scene.task({ kind: 'exits-when-told', code: 0, stdout: LINES });
      await scene.started(task);
      const runtime = driver.runtime(task);
      await run(readOutput(runtime.logs({ follow: true }), (text) => text.length >= TEXT.length));
      await machine.tell(task);
      await run(runtime.wait({ signal }));
      expect((await run(readOutput(runtime.logs({})))).stdout).toBe(TEXT);
      expect((await run(readOutput(runtime.logs({ follow: true })))).stdout).toBe(TEXT);
      expect((await run(readOutput(runtime.logs({ tail: 2 })))).stdout).toBe('second\nthird\n');
      expect((await run(readOutput(runtime.logs({ tail: 0 })))).stdout).toBe('');
      expect((await run(readOutput(runtime.logs({ tail: 99 })))).stdout).toBe(TEXT);
      expect((await run(readOutput(runtime.logs({ since: 0 })))).stdout).toBe(TEXT);
      const muchLater = scene.machine.context.clock.now() + 3_600_000;
      expect((await run(readOutput(runtime.logs({ since: muchLater })))).stdout).toBe('');
    });

    test('given a follower, when its signal aborts, then the following ends without an error and the task runs on', async (scene) => {
      const { driver, machine } = scene;
      const task = scene.task({ kind: 'exits-when-told', code: 0, stdout: LINES });
      await scene.started(task);
      const giveUp = new AbortController();
      const following = readOutput(driver.runtime(task).logs({ follow: true, signal: giveUp.signal }));
      giveUp.abort(new Error('seen enough'));
      await scene.run(following);
      expect(await machine.alive(task)).toBe(1);
    });

    test('given output from before the holder died, when read through its successor, then none is missing', async (scene) => {
      const { machine, run } = scene;
      const task = scene.task({ kind: 'exits-when-told', code: 0, stdout: LINES, stderr: ['oops'] });
      await scene.started(task);
      const { driver } = await scene.reopen();
      const followed = readOutput(
        driver.runtime(task).logs({ follow: true }),
        (text) => text.length >= TEXT.length + 5,
      );
      expect(await run(followed)).toEqual({ stdout: TEXT, stderr: 'oops\n' });
      await machine.tell(task);
      expect(await run(readOutput(driver.runtime(task).logs({})))).toEqual({
        stdout: TEXT,
        stderr: 'oops\n',
      });
    });
  });

  describe('exec and stats', () => {
    test('given what the description declares, when a handle is looked at, then it has exec and stats just so', async (scene) => {
      const { driver, run } = scene;
      const { capabilities } = await run(driver.describe());
      const runtime = driver.runtime(scene.task({ kind: 'runs' }));
      expect(runtime.exec !== undefined).toBe(capabilities.exec);
      expect(runtime.stats !== undefined).toBe(capabilities.stats);
    });

    test('given a running task, when a command is run beside it or its use asked for, then both are told', async (scene) => {
      const { driver, signal, run } = scene;
      const task = scene.task({ kind: 'runs' });
      await scene.started(task);
      const runtime = driver.runtime(task);
      if (runtime.exec) {
        const { exitCode, output } = await run(runtime.exec(['true'], { signal }));
        expect(exitCode).toBe(0);
        expect(output).toBe('');
      }
      if (runtime.stats) {
        const { cpus, memoryBytes } = await run(runtime.stats({ signal }));
        expect(cpus >= 0 && memoryBytes > 0).toBe(true);
      }
    });

    test('given a task that has ended, when a command is run beside it or its use asked for, then both reject', async (scene) => {
      const { driver, signal, run } = scene;
      const task = scene.task({ kind: 'exits', code: 0 });
      await scene.started(task);
      const runtime = driver.runtime(task);
      await run(runtime.wait({ signal }));
      if (runtime.exec) await scene.rejection(runtime.exec(['true'], { signal }));
      if (runtime.stats) await scene.rejection(runtime.stats({ signal }));
    });
  });
}
