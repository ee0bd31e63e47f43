/** Parts of a snapshot: small enough that making one never holds up the event loop. */

/** Rows and bytes of files in one chunk. */
const ROWS_PER_CHUNK = 1_000;
const FILE_BYTES_PER_CHUNK = 1024 * 1024;

/** The items, in parts. @param fileBytes - bytes of files that an item carries */
export function* inChunks<T>(
  items: Iterable<T>,
  fileBytes: (item: T) => number = () => 0,
): Generator<T[], undefined, undefined> {
  let chunk: T[] = [];
  let bytes = 0;
  for (const item of items) {
    chunk.push(item);
    bytes += fileBytes(item);
    if (chunk.length === ROWS_PER_CHUNK || bytes >= FILE_BYTES_PER_CHUNK) {
      yield chunk;
      chunk = [];
      bytes = 0;
    }
  }
  if (chunk.length > 0) yield chunk;
}
