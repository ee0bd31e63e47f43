import fc from 'fast-check';
import { expect, it } from 'vitest';
import { Needle } from '../../history/contains-text.ts';
import { decodeBlock, encodeBlock } from './events-layout.ts';

it('given a block and texts, when records that hold one are asked for, then they are those and no other', () => {
  const text = (unit: string, min: number, max: number) =>
    fc.string({ unit: fc.constantFrom(...unit), minLength: min, maxLength: max });
  fc.assert(
    fc.property(
      fc.array(text('abc', 0, 12), { minLength: 1, maxLength: 8 }),
      fc.array(text('ab', 1, 4), { minLength: 1, maxLength: 3 }),
      (payloads, texts) => {
        const records = payloads.map((payload, number) => {
          return { index: number + 1, at: number, payload: new TextEncoder().encode(payload) };
        });
        const needles = texts.map((each) => new Needle(each));
        const found = decodeBlock(encodeBlock(records, Uint32Array.of(7)), needles)?.records;
        const expected = payloads.flatMap((payload, number) =>
          texts.some((each) => payload.includes(each)) ? [number + 1] : [],
        );
        expect(found?.map(({ index }) => index)).toEqual(expected);
        for (const { index, payload } of found ?? []) {
          expect(new TextDecoder().decode(payload)).toBe(payloads[index - 1]);
        }
      },
    ),
  );
});
