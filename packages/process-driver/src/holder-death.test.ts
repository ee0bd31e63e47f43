/** Tasks outlive the process that holds their driver, whenever that is killed. Real processes, real kill -9. */

import { once } from 'node:events';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { RealMachine, until } from './testing/real-machine.ts';

const { signal } = new AbortController();

describe('the process that holds the driver is killed', () => {
  let machine: RealMachine;
  beforeEach(() => {
    machine = new RealMachine();
  });
  afterEach(async () => {
    await machine.dispose();
    expect(await machine.leftovers()).toEqual([]);
  });

  it('given running tasks, when kill -9 hits their holder, then they run on, are adopted, and all is told', async () => {
    const talker = machine.task({
      ...machine.spec({ kind: 'exits-when-told', code: 9, stdout: ['hello'] }),
      image: 'exits-when-told',
    });
    const runner = machine.task({ image: 'runs' });
    const holder = machine.spawnHolder([talker, runner]);
    await once(holder.stdout ?? holder, 'data');
    holder.kill('SIGKILL');
    await once(holder, 'exit');
    expect([await machine.alive(talker), await machine.alive(runner)]).toEqual([1, 1]);

    const driver = machine.createDriver();
    const recovered = await driver.open(machine.context);
    expect(new Set(recovered)).toEqual(
      new Set([
        { id: talker.id, running: true },
        { id: runner.id, running: true },
      ]),
    );
    const [group] = machine.processesOf(runner);
    expect(await driver.runtime(runner).start({ signal })).toEqual({ id: `pid ${group?.group}`, ports: [] });

    const ended = driver.runtime(talker).wait({ signal });
    await machine.tell(talker);
    expect(await ended).toEqual({ exitCode: 9 });
    await driver.runtime(runner).stop({ graceMs: 60_000, signal });
    expect(await driver.runtime(runner).wait({ signal })).toEqual({ exitCode: 143, signal: 'SIGTERM' });
    for (const task of [talker, runner]) await driver.runtime(task).remove({ signal });
    expect(await machine.leftovers()).toEqual([]);
  }, 30_000);

  it('given a holder that dies at any moment of a start, when others start the same tasks, then each runs once', async () => {
    for (const dieAfterMs of [0, 1, 2, 4, 8, 16]) {
      const tasks = Array.from({ length: 4 }, () => machine.task({ image: 'runs' }));
      const holder = machine.spawnHolder(tasks, dieAfterMs);
      await once(holder, 'exit');
      const [first, second] = [await machine.openDriver(), await machine.openDriver()];
      for (const task of tasks) {
        const [one, two] = await Promise.all(
          [first, second].map(async (driver) => {
            const runtime = driver.runtime(task);
            await runtime.prepare({ signal });
            return runtime.start({ signal });
          }),
        );
        expect(two).toEqual(one);
        // Until its program runs, a process is not known by what it was given.
        await until(() => machine.startsOf(task) > 0);
        expect(await machine.alive(task)).toBe(1);
      }
      for (const task of tasks) await first.runtime(task).remove({ signal });
      expect(await machine.leftovers()).toEqual([]);
      expect(tasks.map((task) => machine.startsOf(task))).toEqual([1, 1, 1, 1]);
    }
  }, 60_000);
});
