import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { TimeoutError } from '../errors.ts';
import { sleep, yieldTurn } from '../runtime/clock.ts';
import { SIMULATED_EPOCH_MS, SimulatedClock } from './simulated-clock.ts';

describe('SimulatedClock', () => {
  it('given timers, when time advances past some, then those alone fire, by time and then by order', async () => {
    const clock = new SimulatedClock();
    const fired: string[] = [];
    clock.setTimer(20, () => fired.push('b'));
    clock.setTimer(10, () => fired.push('a1'));
    clock.setTimer(10, () => fired.push('a2'));
    clock.setTimer(31, () => fired.push('later'));
    await clock.advance(30);
    expect(fired).toEqual(['a1', 'a2', 'b']);
    expect(clock.monotonic()).toBe(30);
    expect(clock.now()).toBe(SIMULATED_EPOCH_MS + 30);
    expect(clock.pendingTimers).toBe(1);
  });

  it('given a chain of sleeps, when time advances once, then every link runs at its own time', async () => {
    const clock = new SimulatedClock();
    const seen: number[] = [];
    void (async () => {
      for (let round = 0; round < 5; round++) {
        await sleep(clock, 10);
        await yieldTurn(clock);
        for (let hop = 0; hop < 50; hop++) await Promise.resolve();
        seen.push(clock.monotonic());
      }
    })();
    await clock.advance(100);
    expect(seen).toEqual([10, 20, 30, 40, 50]);
    expect(clock.idle()).toBe(true);
  });

  it('given a cancelled timer and a cancelled deferral, when time passes, then neither is called', async () => {
    const clock = new SimulatedClock();
    let calls = 0;
    const cancelTimer = clock.setTimer(5, () => calls++);
    const cancelDeferred = clock.defer(() => calls++);
    cancelTimer();
    cancelTimer();
    cancelDeferred();
    await clock.advance(10);
    expect(calls).toBe(0);
    expect(clock.pendingTimers).toBe(0);
  });

  it('given a deferral, when asked, then it is not idle until settled, and no time has passed', async () => {
    const clock = new SimulatedClock();
    let called = false;
    clock.defer(() => {
      called = true;
    });
    expect(clock.idle()).toBe(false);
    expect(called).toBe(false);
    await clock.settle();
    expect(called).toBe(true);
    expect(clock.monotonic()).toBe(0);
  });

  it('given a condition, when run until it holds, then time stands where it came true', async () => {
    const clock = new SimulatedClock();
    let count = 0;
    const tick = () => {
      count++;
      clock.setTimer(7, tick);
    };
    clock.setTimer(7, tick);
    await clock.runUntil(() => count === 3);
    expect(clock.monotonic()).toBe(21);
    await expect(clock.runUntil(() => false, { limitMs: 20 })).rejects.toThrow(TimeoutError);
  });

  it('given nothing left to happen, when run until what never comes, then it says so instead of hanging', async () => {
    const clock = new SimulatedClock();
    await expect(clock.runUntil(() => false)).rejects.toThrow('no timer is set');
  });

  it('given a promise that needs time, when run, then its value or its error is given', async () => {
    const clock = new SimulatedClock();
    expect(await clock.run(sleep(clock, 90).then(() => 'done'))).toBe('done');
    const failing = sleep(clock, 5).then(() => {
      throw new Error('broken');
    });
    await expect(clock.run(failing)).rejects.toThrow('broken');
    expect(clock.monotonic()).toBe(95);
  });

  it('given a callback that throws, when time advances, then the caller learns it', async () => {
    const clock = new SimulatedClock();
    clock.setTimer(3, () => {
      throw new Error('broken');
    });
    await expect(clock.advance(10)).rejects.toThrow('broken');
    expect(clock.monotonic()).toBe(3);
    await clock.advance(1);
  });

  it('given the wall clock jumps, when timers wait, then they keep to monotonic time', async () => {
    const clock = new SimulatedClock({ startAt: 1_000 });
    let fired = false;
    clock.setTimer(10, () => {
      fired = true;
    });
    clock.jumpWallTime(-500);
    await clock.advance(9);
    expect(fired).toBe(false);
    expect(clock.now()).toBe(509);
    await clock.advance(1);
    expect(fired).toBe(true);
  });

  it('given a timer that has fired, when it is cancelled, then no other is counted for less', async () => {
    const clock = new SimulatedClock();
    const cancel = clock.setTimer(1, () => {});
    clock.setTimer(10, () => {});
    await clock.advance(1);
    cancel();
    expect(clock.pendingTimers).toBe(1);
  });

  it('given a timer that cancels itself as it fires, when run until what never comes, then nothing is left', async () => {
    const clock = new SimulatedClock();
    const cancel = clock.setTimer(1, () => cancel());
    await expect(clock.runUntil(() => false)).rejects.toThrow('no timer is set');
    cancel();
    expect(clock.pendingTimers).toBe(0);
    expect(clock.monotonic()).toBe(1);
  });

  it('given any timers, some cancelled, when all time passes, then the rest fire in (time, order)', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.record({ delay: fc.nat(50), cancel: fc.boolean() }), { maxLength: 200 }),
        async (plans) => {
          const clock = new SimulatedClock();
          const fired: number[] = [];
          const cancels = plans.map((plan, index) => clock.setTimer(plan.delay, () => fired.push(index)));
          for (const [index, plan] of plans.entries()) if (plan.cancel) cancels[index]?.();
          await clock.advance(50);
          const expected = plans
            .map((plan, index) => ({ ...plan, index }))
            .filter((plan) => !plan.cancel)
            .sort((a, b) => a.delay - b.delay || a.index - b.index)
            .map((plan) => plan.index);
          expect(fired).toEqual(expected);
          expect(clock.pendingTimers).toBe(0);
        },
      ),
      { numRuns: 50 },
    );
  });
});
