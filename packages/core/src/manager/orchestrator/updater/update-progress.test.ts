import { describe, expect, test } from 'vitest';
import { asId, type ServiceId } from '../../../model/ids.ts';
import { SlotSet } from '../slot-set.ts';
import { UpdateProgress } from './update-progress.ts';

const web = asId<ServiceId>('web');

describe('given outdated slots', () => {
  const begun = (...outdated: number[]) => {
    const updates = new UpdateProgress();
    updates.begin(web, { outdated: SlotSet.of(outdated), inFlux: new SlotSet(), lastRunningAt: 0 }, false);
    return updates;
  };

  test('when one is asked for twice, then it is the same until something is noted of it', () => {
    const updates = begun(1, 2);
    expect([updates.next(web, 0), updates.next(web, 0)]).toEqual([1, 1]);
    updates.note(web, 1, 'changing');
    expect(updates.next(web, 0)).toBe(2);
  });

  test('when one is outdated once more, also behind the last, then it is found again', () => {
    const updates = begun(1, 2);
    updates.note(web, 1, 'changing');
    expect(updates.next(web, 0)).toBe(2);
    updates.note(web, 1, 'outdated');
    updates.note(web, 2, 'changing');
    expect(updates.next(web, 0)).toBe(1);
    updates.note(web, 1, 'changing');
    expect(updates.next(web, 0)).toBeUndefined();
    updates.note(web, 2, 'outdated');
    expect(updates.next(web, 0)).toBe(2);
  });

  test('when as many are in flux as may be, then none is next', () => {
    const updates = begun(1, 2, 3);
    updates.note(web, 1, 'inFlux');
    expect(updates.next(web, 1)).toBeUndefined();
    expect(updates.next(web, 2)).toBe(2);
  });
});
