import { describe, expect, it } from 'vitest';
import { DriverError } from '../errors.ts';
import { SimulatedClock } from '../testing/simulated-clock.ts';
import { bounded, errorText, isTemporary } from './bounded.ts';

function scene() {
  const clock = new SimulatedClock();
  const outer = new AbortController();
  return { clock, outer, bounds: { clock, signal: outer.signal, deadlineMs: 100, what: 'work' } };
}

describe('bounded', () => {
  it('given work that ends in time, when awaited, then its result is given and no timer stays', async () => {
    const { clock, bounds } = scene();
    await expect(bounded(bounds, () => 5)).resolves.toBe(5);
    await expect(bounded(bounds, () => Promise.reject(new Error('no')))).rejects.toThrow('no');
    expect(clock.pendingTimers).toBe(0);
  });

  it('given work that throws before it returns, when called, then it is a rejection', async () => {
    const { bounds } = scene();
    const throwing = bounded(bounds, () => {
      throw new Error('at once');
    });
    await expect(throwing).rejects.toThrow('at once');
  });

  it('given work that hangs and is deaf, when the deadline comes, then it rejects, and a late rejection is nobody’s', async () => {
    const { clock, bounds } = scene();
    let failLate: (error: Error) => void = () => {};
    let inner: AbortSignal | undefined;
    const hanging = bounded(bounds, (signal) => {
      inner = signal;
      return new Promise<void>((_resolve, reject) => {
        failLate = reject;
      });
    });
    await expect(clock.run(hanging)).rejects.toThrow('work did not end within 100 ms');
    expect(inner?.aborted).toBe(true);
    failLate(new Error('late'));
    await clock.settle();
  });

  it('given an abort, when work hangs or has not begun, then the reason is given at once', async () => {
    const { clock, outer, bounds } = scene();
    const reason = new Error('enough');
    const hanging = bounded(bounds, () => new Promise<void>(() => {}));
    outer.abort(reason);
    await expect(hanging).rejects.toBe(reason);
    let called = false;
    const unbegun = bounded(bounds, () => {
      called = true;
    });
    await expect(unbegun).rejects.toBe(reason);
    expect([called, clock.pendingTimers]).toEqual([false, 0]);
  });
});

describe('what errors say', () => {
  it.each([
    [new Error('plain'), 'plain'],
    ['text', 'text'],
    [undefined, 'undefined'],
    [Object.create(null), 'an error that can not be told'],
    [new Error(''), 'an error without a message'],
  ])('given %o, when told, then it is %s', (error, text) => {
    expect(errorText(error)).toBe(text);
  });

  it('given driver errors, when asked, then only the temporary are worth another try', () => {
    expect(isTemporary(new DriverError('x', { temporary: true }))).toBe(true);
    expect(isTemporary(new DriverError('x'))).toBe(false);
    expect(isTemporary(new Error('x'))).toBe(false);
    expect(isTemporary(undefined)).toBe(false);
  });
});
