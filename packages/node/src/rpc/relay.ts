/** Passing a call on to the leader: its bytes unchanged, both ways, at most once. */

import type { ClientHttp2Stream, OutgoingHttpHeaders, ServerHttp2Stream } from 'node:http2';
import { constants } from 'node:http2';
import { NodeError } from '../errors.ts';

/** The way from this manager to the one that leads. */
export interface LeaderRoute {
  readonly isLeader: boolean;
  /** Opens a stream to the leader. @throws NodeError `NOT_LEADER`, `UNREACHABLE` */
  open(headers: OutgoingHttpHeaders, signal: AbortSignal): Promise<ClientHttp2Stream>;
}

/** Passes a call on, over a stream to the leader that was opened for it, and its answer back. @throws NodeError */
export async function relay(
  stream: ServerHttp2Stream,
  onward: ClientHttp2Stream,
  signal: AbortSignal,
): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    let hasAnswered = false;
    const onAbort = () => {
      onward.close(constants.NGHTTP2_CANCEL);
      reject(signal.reason);
    };
    signal.addEventListener('abort', onAbort, { once: true });
    onward.on('error', () => {});
    onward.on('data', () => {
      hasAnswered = true;
    });
    onward.on('close', () => {
      signal.removeEventListener('abort', onAbort);
      if (hasAnswered) {
        if (!onward.readableEnded) stream.close(constants.NGHTTP2_INTERNAL_ERROR);
        resolve();
      } else reject(new NodeError('CONNECTION_LOST', 'the connection to the leader was lost'));
    });
    stream.pipe(onward);
    // What ends the answer is its last frame: if the leader goes before, the caller sees the stream cut off.
    onward.pipe(stream);
  });
}
