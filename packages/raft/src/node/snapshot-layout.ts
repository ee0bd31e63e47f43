/**
 * The bytes of a snapshot: `SKR1`, the length of the table of proposals in four bytes, the table, then whatever the
 * state machine writes.
 */

import { RaftNodeError } from './errors.ts';

const MAGIC = 0x534b5231;
const HEADER_BYTES = 8;

/** The table first, then the machine's chunks. */
export async function* writeLayout(
  table: Uint8Array,
  chunks: AsyncIterable<Uint8Array>,
): AsyncGenerator<Uint8Array, void, undefined> {
  const head = new Uint8Array(HEADER_BYTES + table.length);
  const view = new DataView(head.buffer);
  view.setUint32(0, MAGIC);
  view.setUint32(4, table.length);
  head.set(table, HEADER_BYTES);
  yield head;
  for await (const chunk of chunks) if (chunk.length > 0) yield chunk;
}

/**
 * Takes the two apart, however the stream is cut.
 *
 * @throws RaftNodeError `corrupt-snapshot` if it does not begin as one.
 */
export async function readLayout(
  stream: AsyncIterable<Uint8Array>,
): Promise<{ readonly table: Uint8Array; readonly chunks: AsyncIterable<Uint8Array> }> {
  const iterator = stream[Symbol.asyncIterator]();
  let held: Uint8Array = new Uint8Array(0);
  const fill = async (bytes: number) => {
    while (held.length < bytes) {
      const next = await iterator.next();
      if (next.done) throw new RaftNodeError('corrupt-snapshot', 'a snapshot ends before its state begins');
      held = held.length === 0 ? next.value : joined(held, next.value);
    }
  };
  await fill(HEADER_BYTES);
  const view = new DataView(held.buffer, held.byteOffset, held.byteLength);
  if (view.getUint32(0) !== MAGIC) {
    throw new RaftNodeError('corrupt-snapshot', 'a snapshot does not begin as one of this version does');
  }
  const length = view.getUint32(4);
  await fill(HEADER_BYTES + length);
  const table = held.slice(HEADER_BYTES, HEADER_BYTES + length);
  const rest = held.subarray(HEADER_BYTES + length);
  return { table, chunks: continued(rest, iterator) };
}

async function* continued(
  first: Uint8Array,
  iterator: AsyncIterator<Uint8Array>,
): AsyncGenerator<Uint8Array, void, undefined> {
  try {
    if (first.length > 0) yield first;
    for (let next = await iterator.next(); !next.done; next = await iterator.next()) yield next.value;
  } finally {
    await iterator.return?.();
  }
}

function joined(left: Uint8Array, right: Uint8Array): Uint8Array {
  const both = new Uint8Array(left.length + right.length);
  both.set(left);
  both.set(right, left.length);
  return both;
}
