import fc from 'fast-check';
import { Packr } from 'msgpackr';
import { describe, expect, it } from 'vitest';
import { configurationOf } from '../core/membership.ts';
import { decodeFrame, encodeFrame, type Frame } from './frame.ts';
import { FrameReader, framed } from './framing.ts';

const configuration = configurationOf(['a', 'b'], ['c'], { a: 'host:1' });
const envelope = { from: 'a', to: 'b', term: 7 };
const snapshot = { index: 9, term: 3, configuration };

const FRAMES: readonly Frame[] = [
  { type: 'pre-vote-request', ...envelope, lastIndex: 1, lastTerm: 2 },
  { type: 'vote-request', ...envelope, lastIndex: 1, lastTerm: 2, transfer: true },
  {
    type: 'append-request',
    ...envelope,
    prevIndex: 4,
    prevTerm: 2,
    commit: 4,
    entries: [
      { kind: 'command', index: 5, term: 7, payload: Uint8Array.of(1, 2, 3) },
      { kind: 'empty', index: 6, term: 7 },
      { kind: 'configuration', index: 7, term: 7, configuration },
    ],
  },
  { type: 'heartbeat', ...envelope, commit: 3, round: 2, sent: 2 ** 40 },
  { type: 'read-request', ...envelope, attempt: { incarnation: 2 ** 47, number: 3 }, lease: false },
  { type: 'install-snapshot', ...envelope, snapshot },
  { type: 'proposal', from: 'a', to: 'b', attempt: 12, command: Uint8Array.of(9) },
  { type: 'proposal-refused', from: 'a', to: 'b', attempt: 12, reason: 'busy' },
  {
    type: 'snapshot-begin',
    transfer: 5,
    message: { type: 'install-snapshot', ...envelope, snapshot },
  },
  { type: 'snapshot-chunk', transfer: 5, offset: 100, chunk: Uint8Array.of(0, 255) },
];

describe('frames', () => {
  it.each(FRAMES.map((frame) => [frame.type, frame] as const))(
    'given a %s, then it comes back as it was',
    (_, frame) => {
      expect(decodeFrame(encodeFrame(frame))).toEqual(frame);
    },
  );

  it('given a frame over the limit, then it is refused, to send and to receive', () => {
    const frame: Frame = { type: 'proposal', from: 'a', to: 'b', attempt: 1, command: new Uint8Array(2000) };
    expect(() => encodeFrame(frame, 1000)).toThrow(expect.objectContaining({ code: 'frame-too-large' }));
    expect(() => decodeFrame(encodeFrame(frame), 1000)).toThrow(
      expect.objectContaining({ code: 'frame-too-large' }),
    );
  });

  it.each([
    ['a kind that nobody knows', [99, 'a', 'b']],
    ['a field too few', [7, 'a', 'b', 1, 2]],
    ['a negative term', [10, 'a', 'b', -1]],
    ['half a term', [10, 'a', 'b', 1.5]],
    ['no sender', [10, '', 'b', 1]],
    [
      'entries with a gap',
      [
        4,
        'a',
        'b',
        1,
        1,
        1,
        [
          [1, 5, 1],
          [1, 7, 1],
        ],
        0,
      ],
    ],
    ['no list at all', { type: 'heartbeat' }],
  ])('given %s, then it is refused as garbled', (_, raw) => {
    const encoded = new Packr({ useRecords: false }).pack(raw);
    expect(() => decodeFrame(encoded)).toThrow(expect.objectContaining({ code: 'garbled-frame' }));
  });

  it('given any bytes, then they are decoded or refused with a typed error, and nothing else happens', () => {
    const whole = FRAMES.map((frame) => encodeFrame(frame));
    const damaged = fc
      .tuple(fc.constantFrom(...whole), fc.nat(), fc.integer({ min: 1, max: 255 }), fc.nat())
      .map(([bytes, at, flip, end]) => {
        const copy = bytes.slice(0, 1 + (end % bytes.length));
        const place = at % copy.length;
        copy[place] = (copy[place] ?? 0) ^ flip;
        return copy;
      });
    fc.assert(
      fc.property(fc.oneof(damaged, fc.uint8Array({ maxLength: 60 })), (bytes) => {
        try {
          decodeFrame(bytes);
        } catch (error) {
          expect(error).toMatchObject({ name: 'TransportError', code: 'garbled-frame' });
        }
      }),
      { numRuns: 2000 },
    );
  });
});

describe('framing', () => {
  it('given frames cut anywhere, then they come out whole', () => {
    fc.assert(
      fc.property(
        fc.array(fc.uint8Array({ maxLength: 40 })),
        fc.array(fc.nat({ max: 30 })),
        (frames, cuts) => {
          const stream = framed(frames);
          const reader = new FrameReader(100);
          const read: Uint8Array[] = [];
          let at = 0;
          for (const cut of [...cuts, stream.length]) {
            read.push(...reader.push(Uint8Array.from(stream.slice(at, at + cut))));
            at += cut;
          }
          expect(read).toEqual(frames);
        },
      ),
    );
  });

  it('given a header that announces too much, then it is refused before anything is held', () => {
    expect(() => new FrameReader(100).push(framed([new Uint8Array(101)]).subarray(0, 4))).toThrow(
      expect.objectContaining({ code: 'frame-too-large' }),
    );
  });
});
