import { describe, expect, test } from 'vitest';
import { medianWithInterval } from './docker.ts';

describe('given ratios of rounds, when their median is told', () => {
  test('then of fifteen its interval goes from the fourth to the twelfth', () => {
    const values = Array.from({ length: 15 }, (_, index) => 15 - index);
    expect(medianWithInterval(values)).toEqual({ median: 8, low: 4, high: 12 });
  });

  test('then of few it is all that was seen', () => {
    expect(medianWithInterval([3, 1, 2])).toEqual({ median: 2, low: 1, high: 3 });
  });
});
