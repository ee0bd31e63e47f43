import fc from 'fast-check';
import { Packr } from 'msgpackr';
import { describe, expect, it } from 'vitest';
import { isNodeError } from '../errors.ts';
import { decodeBody, encodeBody, encodeFrame, FRAME, FrameReader } from './frame.ts';
import { checkMessage } from './message-check.ts';
import { fromWireError, toWireError } from './wire-error.ts';

const ROOM = 1024 * 1024;

/** What messages are made of. */
const plain = fc.letrec((tie) => ({
  value: fc.oneof(
    { depthSize: 'small' },
    fc.constantFrom(null, true, false, undefined),
    fc.double({ noNaN: true }),
    fc.integer(),
    fc.string({ unit: 'grapheme' }),
    fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes)),
    fc.array(tie('value'), { maxLength: 20 }),
    fc.dictionary(
      fc
        .string({ unit: 'grapheme' })
        .filter((key) => !['__proto__', 'constructor', 'prototype'].includes(key)),
      tie('value'),
      { maxKeys: 20 },
    ),
  ),
})).value;

/** Nothing but an error of ours may come of bytes that somebody made up. */
function outcome(decode: () => unknown): 'decoded' | 'refused' {
  try {
    decode();
    return 'decoded';
  } catch (error) {
    if (isNodeError(error) && (error.code === 'MALFORMED' || error.code === 'TOO_LARGE')) return 'refused';
    throw error;
  }
}

describe('given any message', () => {
  it('when it is encoded and decoded, then it is the same', () => {
    fc.assert(
      fc.property(plain, (value) => {
        expect(decodeBody(encodeBody(value, ROOM))).toEqual(
          decodeBody(new Packr({ useRecords: false }).pack(value)),
        );
      }),
    );
  });

  it('when its frames come in pieces of any size, then each comes out whole and in order', () => {
    fc.assert(
      fc.property(
        fc.array(fc.uint8Array({ maxLength: 500 }), { maxLength: 10 }),
        fc.array(fc.integer({ min: 1, max: 300 }), { minLength: 1 }),
        (bodies, sizes) => {
          const bytes = Buffer.concat(bodies.map((body) => encodeFrame(FRAME.message, body)));
          const reader = new FrameReader(ROOM);
          const found: Uint8Array[] = [];
          for (let at = 0, turn = 0; at < bytes.length; turn++) {
            const end = at + (sizes[turn % sizes.length] ?? 1);
            for (const { body } of reader.push(bytes.subarray(at, end))) found.push(new Uint8Array(body));
            at = end;
          }
          expect(found).toEqual(bodies.map((body) => new Uint8Array(body)));
          expect(reader.isBetweenFrames).toBe(true);
        },
      ),
    );
  });
});

describe('given bytes that somebody made up', () => {
  it('when they are decoded, then they are a value or refused, and nothing else happens', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        outcome(() => decodeBody(bytes));
        outcome(() => [...new FrameReader(1000).push(bytes)]);
      }),
      { numRuns: 2000 },
    );
  });

  it('when a byte of a message is another one, then it is a value or refused', () => {
    fc.assert(
      fc.property(plain, fc.nat(), fc.integer({ min: 0, max: 255 }), (value, place, byte) => {
        const bytes = new Uint8Array(encodeBody(value, ROOM));
        bytes[place % bytes.length] = byte;
        outcome(() => decodeBody(bytes));
      }),
      { numRuns: 1000 },
    );
  });

  it('when the end is missing, then it is refused', () => {
    fc.assert(
      fc.property(plain, fc.nat(), (value, place) => {
        const bytes = encodeBody(value, ROOM);
        expect(outcome(() => checkMessage(bytes.subarray(0, place % bytes.length)))).toBe('refused');
      }),
    );
  });

  it('when a length asks for gigabytes, then no room is made for them', () => {
    for (const tag of [0xdd, 0xdf, 0xc6, 0xdb]) {
      expect(outcome(() => decodeBody(Uint8Array.of(tag, 0x7f, 0xff, 0xff, 0xff)))).toBe('refused');
    }
    const header = Uint8Array.of(FRAME.message, 0xff, 0xff, 0xff, 0xff);
    expect(outcome(() => [...new FrameReader(ROOM).push(header)])).toBe('refused');
  });

  it('when it is nested without end, or names a prototype, then it is refused', () => {
    expect(outcome(() => decodeBody(new Uint8Array(100_000).fill(0x91)))).toBe('refused');
    const named = new Packr({ useRecords: false }).pack(new Map([['__proto__', 1]]));
    expect(outcome(() => decodeBody(named))).toBe('refused');
  });

  it('when an error is made up, then it is still an error', () => {
    fc.assert(
      fc.property(fc.anything(), (value) => {
        expect(fromWireError(value)).toBeInstanceOf(Error);
      }),
    );
    expect(toWireError({ code: 'CLOSED', message: 'no error of ours' })).toMatchObject({ code: 'INTERNAL' });
  });
});
