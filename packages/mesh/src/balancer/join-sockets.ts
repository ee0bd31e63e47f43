/** Passes bytes on between two connections, both ways, until both have ended. */

import type { Socket } from 'node:net';

/** Changes the first bytes of what is passed on. */
export interface Editor {
  /** @returns what to pass on now, if anything */
  push(chunk: Buffer): Buffer | undefined;
  /** The side has ended. @returns what was held back */
  flush(): Buffer | undefined;
  /** From here on all is passed on as it is. */
  readonly isDone: boolean;
}

/**
 * What one side sends goes to the other, no faster than that takes it. An end is passed on as an end, so that the other
 * direction goes on; a reset as a reset. Both must allow half-open connections.
 */
export function joinSockets(client: Socket, upstream: Socket, answerEditor?: Editor): void {
  pump(client, upstream);
  pump(upstream, client, answerEditor);
}

/** Listeners, since `pipe` does more for each chunk. */
function pump(from: Socket, to: Socket, editing?: Editor): void {
  let editor = editing;
  from.on('data', (chunk: Buffer) => {
    const bytes = editor ? editor.push(chunk) : chunk;
    if (editor?.isDone) editor = undefined;
    if (bytes && !to.write(bytes)) from.pause();
  });
  to.on('drain', () => from.resume());
  const onEnd = () => {
    const rest = editor?.flush();
    if (rest) to.write(rest);
    to.end();
  };
  // Whoever waits for the rest must learn that it will never come.
  from.on('error', () => to.resetAndDestroy());
  from.on('close', () => {
    if (!from.readableEnded) to.destroy();
  });
  if (from.readableEnded) onEnd();
  else from.on('end', onEnd);
  from.resume();
}
