/** Messages over one stream of HTTP/2, each way, with the back-pressure that the stream has. */

import type { Http2Stream } from 'node:http2';
import { NodeError } from '../errors.ts';
import { decodeBody, encodeBody, encodeFrame, FRAME, type FrameKind, FrameReader } from './frame.ts';
import type { Decoder } from './method.ts';
import { fromWireError, toWireError } from './wire-error.ts';

/** Longest error that is sent, in bytes. */
const ERROR_BYTES_MAX = 64 * 1024;

/** Sends the messages of one side. */
export class MessageWriter {
  readonly #stream: Http2Stream;
  readonly #bytesMax: number;

  constructor(stream: Http2Stream, bytesMax: number) {
    this.#stream = stream;
    this.#bytesMax = bytesMax;
  }

  /** Sends a message; resolves when the other side has room for more. @throws NodeError `TOO_LARGE`, `CANCELLED` */
  async message(value: unknown): Promise<void> {
    await this.#write(FRAME.message, encodeBody(value, this.#bytesMax));
  }

  /** Says that all was said. */
  end(): void {
    if (!this.#stream.writable) return;
    this.#stream.end(encodeFrame(FRAME.end));
  }

  /** Says why it ends here. */
  fail(error: unknown): void {
    if (!this.#stream.writable) return;
    let body: Uint8Array;
    try {
      body = encodeBody(toWireError(error), ERROR_BYTES_MAX);
    } catch {
      const plain = new NodeError('INTERNAL', 'an error is too large to be told');
      body = encodeBody(toWireError(plain), ERROR_BYTES_MAX);
    }
    this.#stream.end(encodeFrame(FRAME.error, body));
  }

  async #write(kind: FrameKind, body: Uint8Array): Promise<void> {
    const stream = this.#stream;
    if (!stream.writable) throw new NodeError('CANCELLED', 'the other side has ended the call');
    if (stream.write(encodeFrame(kind, body))) return;
    await new Promise<void>((resolve) => {
      const done = () => {
        stream.off('drain', done);
        stream.off('close', done);
        resolve();
      };
      stream.on('drain', done);
      stream.on('close', done);
    });
  }
}

/** What reading goes by. */
export interface ReadingRules<T> {
  readonly decode: Decoder<T>;
  readonly bytesMax: number;
  /** The error when the stream ends before the other side has said that it is done. */
  readonly cutOff: () => Error;
}

/**
 * The messages of the other side, as they come. Whoever stops reading leaves the stream as it is.
 *
 * @throws NodeError `MALFORMED`, `TOO_LARGE`; the other side's own error; the error of `cutOff`.
 */
export async function* readMessages<T>(
  stream: Http2Stream,
  { decode, bytesMax, cutOff }: ReadingRules<T>,
): AsyncGenerator<T, void, undefined> {
  const reader = new FrameReader(Math.max(bytesMax, ERROR_BYTES_MAX));
  try {
    for await (const chunk of stream.iterator({ destroyOnReturn: false })) {
      for (const { kind, body } of reader.push(chunk as Uint8Array)) {
        if (kind === FRAME.end) return;
        if (kind === FRAME.error) throw fromWireError(decodeBody(body));
        if (body.length > bytesMax) {
          throw new NodeError(
            'TOO_LARGE',
            `a message of ${body.length} bytes is over the limit of ${bytesMax}`,
          );
        }
        yield decode(decodeBody(body));
      }
    }
  } catch (error) {
    throw isOfTheStream(error) ? cutOff() : error;
  }
  throw cutOff();
}

/** Reading ended since the stream was closed under it. */
function isOfTheStream(error: unknown): boolean {
  const code = (error as { readonly code?: unknown } | undefined)?.code;
  return (
    typeof code === 'string' &&
    (code.startsWith('ERR_HTTP2') || code.startsWith('ERR_STREAM') || code === 'ECONNRESET')
  );
}
