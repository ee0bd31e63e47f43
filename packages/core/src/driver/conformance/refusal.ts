/** The promises about what a driver can't do: it says so, in time, with the reason, and leaves nothing behind. */

import { isSkepError } from '../../errors.ts';
import type { DriverHarness, DriverTestApi, SceneTest } from './harness.ts';

const isFinalDriverError = (error: unknown) =>
  isSkepError(error) && error.code === 'DRIVER' && !error.retryable;

/** Registers the tests of refused specs and failing starts. */
export function describeRefusal(
  { describe, expect }: DriverTestApi,
  test: SceneTest,
  unsupportedLimits: NonNullable<DriverHarness['unsupportedLimits']>,
): void {
  describe('what it cannot do', () => {
    test('given an image that can not be had, when prepared, then a final error names it, and nothing is left', async (scene) => {
      const { driver, machine, signal } = scene;
      const task = scene.task({ kind: 'unknown-image' });
      const error = await scene.rejection(driver.runtime(task).prepare({ signal }));
      expect(isFinalDriverError(error)).toBe(true);
      expect(error instanceof Error && error.message.includes(task.spec.image ?? '')).toBe(true);
      await scene.run(driver.runtime(task).remove({ signal }));
      expect(await machine.leftovers()).toEqual([]);
    });

    test('given a program that can not be run, when prepared and started, then a final error says why', async (scene) => {
      const { driver, machine, signal } = scene;
      const task = scene.task({ kind: 'bad-command' });
      const runtime = driver.runtime(task);
      const error = await scene.rejection(runtime.prepare({ signal }).then(() => runtime.start({ signal })));
      expect(isFinalDriverError(error)).toBe(true);
      expect(error instanceof Error && error.message.length > 0).toBe(true);
      expect(await machine.alive(task)).toBe(0);
      await scene.run(runtime.remove({ signal }));
      expect(await machine.leftovers()).toEqual([]);
    });

    test('given a plain spec, when checked, then nothing is held against it', async ({ driver, task }) => {
      expect(driver.check(task({ kind: 'runs' }).spec)).toEqual([]);
    });

    test('given limits, when checked, then those that the description calls unsupported are told', async (scene) => {
      const { driver, run } = scene;
      const { limits } = (await run(driver.describe())).capabilities;
      const asked = scene.task(
        { kind: 'runs' },
        { spec: { resources: { limits: { cpus: 1, memoryBytes: 2 ** 26, pids: 100 } } } },
      );
      const refused = [
        ...(limits.cpus ? [] : ['resources.limits.cpus']),
        ...(limits.memory ? [] : ['resources.limits.memoryBytes']),
        ...(limits.pids ? [] : ['resources.limits.pids']),
      ];
      const told = driver.check(asked.spec).map((issue) => issue.field);
      expect(told.sort()).toEqual(unsupportedLimits === 'refuse' ? refused.sort() : []);
    });
  });
}
