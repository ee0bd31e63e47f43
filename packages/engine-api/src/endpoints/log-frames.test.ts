import type { NodeId, TaskId } from '@skep/core';
import { describe, expect, it } from 'vitest';
import { LogFrames, type LogPiece } from './log-frames.ts';

function piece(text: string, stream: LogPiece['stream'] = 'stdout'): LogPiece {
  return {
    ...{ stream, at: 0, slot: 1, taskId: 't' as TaskId, nodeId: 'n' as NodeId },
    data: new TextEncoder().encode(text),
  };
}

function frames(isRaw = false) {
  return new LogFrames({ isRaw, details: false, timestamps: false, serviceOf: () => 's' });
}

describe('given output in pieces', () => {
  it('when a line comes in halves, then it is one frame; what never ends is told at the end', () => {
    const lines = frames();
    expect(lines.take(piece('one\ntw'))).toEqual(Buffer.from('\x01\0\0\0\0\0\0\x04one\n', 'latin1'));
    expect(lines.take(piece('err\n', 'stderr'))).toEqual(Buffer.from('\x02\0\0\0\0\0\0\x04err\n', 'latin1'));
    expect(lines.take(piece('o'))).toEqual(Buffer.alloc(0));
    expect(lines.take(piece('!\nrest'))).toEqual(Buffer.from('\x01\0\0\0\0\0\0\x05two!\n', 'latin1'));
    expect(lines.rest()).toEqual(Buffer.from('\x01\0\0\0\0\0\0\x04rest', 'latin1'));
    expect(lines.rest()).toEqual(Buffer.alloc(0));
  });

  it('when the task has a terminal, then there are no frames', () => {
    expect(frames(true).take(piece('one\ntwo\n')).toString()).toBe('one\ntwo\n');
  });
});
