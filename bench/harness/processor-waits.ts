/**
 * For how long this thread was ready to run while other programs had the processor: what to take off a measured time
 * on a machine that is busy with other things. Linux counts it for each thread; elsewhere it is not known.
 */

import { openSync, readSync } from 'node:fs';

/** What the system says of the thread that first asked. */
export interface ProcessorWaits {
  readonly known: boolean;
  /** Milliseconds waited since the thread began; 0 where it is not known. */
  read(): number;
}

/** Reads `schedstat`: time on a processor, time waited for one (nanoseconds), number of slices. */
function openWaits(): ProcessorWaits {
  let file: number;
  try {
    file = openSync('/proc/thread-self/schedstat', 'r');
  } catch {
    return { known: false, read: () => 0 };
  }
  const buffer = Buffer.alloc(128);
  return {
    known: true,
    read: () => {
      const length = readSync(file, buffer, 0, buffer.length, 0);
      return Number(buffer.toString('latin1', 0, length).split(' ')[1]) / 1e6;
    },
  };
}

let opened: ProcessorWaits | undefined;

/** The waits of the main thread. */
export function processorWaits(): ProcessorWaits {
  opened ??= openWaits();
  return opened;
}

/** Times a piece of work. @returns its milliseconds, less those for which others had the processor. */
export function ownTime(): () => number {
  const waits = processorWaits();
  const start = performance.now();
  const waited = waits.read();
  return () => {
    const took = performance.now() - start;
    // The two clocks differ by as much as some pieces of work last.
    return Math.max(0, took - (waits.read() - waited));
  };
}
