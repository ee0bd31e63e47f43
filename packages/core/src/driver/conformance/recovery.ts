/** The promises about tasks that outlive their holder, and about whose tasks a driver touches. */

import { type ClusterId, type NodeId, newId, type TaskId } from '../../model/ids.ts';
import { systemRandom } from '../../runtime/system-random.ts';
import type { DriverTestApi, SceneTest } from './harness.ts';

/** Registers the tests of recovery, of discarding, and of strangers' tasks. */
export function describeRecovery({ describe, expect }: DriverTestApi, test: SceneTest): void {
  describe('the holder dies', () => {
    test('given a running task, when its holder dies and another opens, then it runs on and is found as it was', async (scene) => {
      const { machine, signal, run } = scene;
      const task = scene.task({ kind: 'exits-when-told', code: 5 });
      const id = await scene.started(task);
      const { driver, recovered } = await scene.reopen();
      expect(recovered).toEqual([{ id: task.id, running: true }]);
      expect(await machine.alive(task)).toBe(1);
      const runtime = driver.runtime(task);
      await run(runtime.prepare({ signal }));
      expect((await run(runtime.start({ signal }))).id).toBe(id);
      expect(await machine.alive(task)).toBe(1);
      const ended = runtime.wait({ signal });
      await machine.tell(task);
      expect((await run(ended)).exitCode).toBe(5);
    });

    test('given a task that ended while nobody watched, when a driver opens, then its exit is still told', async (scene) => {
      const { driver, machine, signal, run } = scene;
      const task = scene.task({ kind: 'exits-when-told', code: 6 });
      await scene.started(task);
      await machine.abandon(driver);
      await machine.tell(task);
      const { driver: next, recovered } = await scene.open();
      expect(recovered).toEqual([{ id: task.id, running: false }]);
      expect((await run(next.runtime(task).wait({ signal }))).exitCode).toBe(6);
      await run(next.runtime(task).start({ signal }));
      expect(await machine.alive(task)).toBe(0);
    });

    test('given a task that was killed while nobody watched, when a driver opens, then wait tells 137', async (scene) => {
      const { driver, machine, signal, run } = scene;
      const task = scene.task({ kind: 'runs' });
      await scene.started(task);
      await machine.abandon(driver);
      await machine.kill(task);
      const { driver: next } = await scene.open();
      expect((await run(next.runtime(task).wait({ signal }))).exitCode).toBe(137);
    });

    test('given a running task of an earlier life, when stopped and removed, then nothing is left', async (scene) => {
      const { machine, signal, run } = scene;
      const task = scene.task({ kind: 'runs' });
      await scene.started(task);
      const { driver } = await scene.reopen();
      await run(driver.runtime(task).stop({ graceMs: 60_000, signal }));
      expect(await machine.alive(task)).toBe(0);
      await run(driver.runtime(task).remove({ signal }));
      expect(await machine.leftovers()).toEqual([]);
    });

    test('given a task that was prepared only, when another driver prepares and starts it, then it runs once', async (scene) => {
      const { driver, machine, signal, run } = scene;
      const task = scene.task({ kind: 'runs' });
      await run(driver.runtime(task).prepare({ signal }));
      const { driver: next } = await scene.reopen();
      await scene.started(task, next);
      expect(await machine.alive(task)).toBe(1);
    });

    test('given two drivers after a crash, when both start the same task, then it has one runtime', async (scene) => {
      const { driver, machine, signal, run } = scene;
      const { driver: other } = await scene.open();
      const tasks = Array.from({ length: 4 }, () => scene.task({ kind: 'runs' }));
      const begin = async (by: typeof driver, task: (typeof tasks)[number]) => {
        const runtime = by.runtime(task);
        await runtime.prepare({ signal });
        return (await runtime.start({ signal })).id;
      };
      for (const task of tasks) {
        const [first, second] = await run(Promise.all([begin(driver, task), begin(other, task)]));
        expect(second).toBe(first);
        expect(await machine.alive(task)).toBe(1);
      }
    });

    test('given ports that a task was told, when its holder dies, then the successor tells the same', async (scene) => {
      const { driver, signal, run } = scene;
      const task = scene.task(
        { kind: 'runs' },
        { ports: [{ target: 80, protocol: 'tcp', mode: 'ingress', published: 30_080 }] },
      );
      await run(driver.runtime(task).prepare({ signal }));
      const before = await run(driver.runtime(task).start({ signal }));
      const { driver: next } = await scene.reopen();
      expect(await run(next.runtime(task).start({ signal }))).toEqual(before);
    });

    test('given a driver that is closed, when closed again or asked, then the task runs on and the steps reject', async (scene) => {
      const { driver, machine, signal, run } = scene;
      const task = scene.task({ kind: 'runs' });
      await scene.started(task);
      const ended = driver.runtime(task).wait({ signal });
      const rejected = scene.rejection(ended);
      await driver.close();
      await rejected;
      await driver.close();
      await scene.rejection(driver.runtime(task).stop({ graceMs: 0, signal }));
      expect(await machine.alive(task)).toBe(1);
      const { driver: next, recovered } = await scene.open();
      expect(recovered).toEqual([{ id: task.id, running: true }]);
      await run(next.runtime(task).remove({ signal }));
    });
  });

  describe('what nobody wants any more, and what is not ours', () => {
    test('given tasks of an earlier life, when discarded, then nothing is left, and again succeeds', async (scene) => {
      const { machine, signal, run } = scene;
      const running = scene.task({ kind: 'runs' });
      const over = scene.task({ kind: 'exits-when-told', code: 0 });
      await scene.started(running);
      await scene.started(over);
      await machine.tell(over);
      const { driver, recovered } = await scene.reopen();
      expect(recovered.length).toBe(2);
      for (const { id } of recovered) {
        await run(driver.discard(id, { signal }));
        await run(driver.discard(id, { signal }));
      }
      expect(await machine.leftovers()).toEqual([]);
      await run(driver.discard(newId<TaskId>(systemRandom), { signal }));
    });

    test('given tasks of another cluster and of another node, when this one opens and discards, then they run on', async (scene) => {
      const { driver, machine, signal, run } = scene;
      const strangers = [
        { clusterId: newId<ClusterId>(systemRandom) },
        { nodeId: newId<NodeId>(systemRandom) },
      ];
      const own = scene.task({ kind: 'runs' });
      await scene.started(own);
      for (const context of strangers) {
        const { driver: stranger, recovered } = await scene.open(context);
        expect(recovered).toEqual([]);
        const task = scene.task({ kind: 'runs' });
        await scene.started(task, stranger);
        await run(driver.discard(task.id, { signal }));
        expect(await machine.alive(task)).toBe(1);
        const again = await scene.open();
        expect(again.recovered).toEqual([{ id: own.id, running: true }]);
        await run(again.driver.discard(task.id, { signal }));
        expect(await machine.alive(task)).toBe(1);
        await run(stranger.runtime(task).remove({ signal }));
      }
    });
  });
}
