/** What the engine tells over time: one JSON object a line. */

import type { Readable } from 'node:stream';

/** Reads a stream to its end. Lines that are no JSON are left out. @throws when the stream breaks or is destroyed. */
export async function* readJsonLines(stream: Readable): AsyncGenerator<object> {
  stream.setEncoding('utf8');
  let rest = '';
  for await (const text of stream) {
    const lines = `${rest}${text}`.split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) yield* parse(line);
  }
  yield* parse(rest);
}

function* parse(line: string): Generator<object> {
  try {
    const value: unknown = JSON.parse(line);
    if (typeof value === 'object' && value !== null) yield value;
  } catch {
    // A blank line, or one that was cut off.
  }
}
