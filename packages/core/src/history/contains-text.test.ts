import fc from 'fast-check';
import { expect, it } from 'vitest';
import { Needle } from './contains-text.ts';

it('given any text and any bytes, then it is found exactly where it stands', () => {
  const letters = fc.string({ unit: fc.constantFrom('a', 'b'), minLength: 1, maxLength: 4 });
  fc.assert(
    fc.property(letters, fc.string({ unit: fc.constantFrom('a', 'b', 'c'), maxLength: 12 }), (text, hay) => {
      expect(new Needle(text).isIn(new TextEncoder().encode(hay))).toBe(hay.includes(text));
    }),
  );
});
