/**
 * What a balancer of connections can honestly do with a cookie: the first request of a connection decides which task the
 * whole connection goes to, and the first answer tells the client which one that was. Nothing after these two heads is
 * looked at.
 */

import type { Socket } from 'node:net';
import type { Editor } from './join-sockets.ts';
import type { TcpLimits } from './tcp-balancer.ts';

/** Longest head that is looked at, in bytes: what most servers take. */
const HEAD_BYTES_MAX = 16 * 1024;
const END_OF_HEAD = Buffer.from('\r\n\r\n');

/**
 * Reads from a paused connection up to the end of the first head. What comes that is no HTTP, or whose head is too long,
 * is handed over as far as it was read: it is passed on all the same.
 *
 * @param onHead gets all that was read; undefined: the client took too long, or is gone
 */
export function readHead(
  client: Socket,
  { clock, headTimeoutMs }: Pick<TcpLimits, 'clock' | 'headTimeoutMs'>,
  onHead: (said: Buffer | undefined) => void,
): void {
  let said: Buffer = Buffer.alloc(0);
  const done = (result: Buffer | undefined) => {
    stopWaiting();
    client.off('data', onData).off('end', onEnd).off('close', onClose);
    client.pause();
    onHead(result);
  };
  const onData = (chunk: Buffer) => {
    said = said.length === 0 ? chunk : Buffer.concat([said, chunk]);
    if (said.includes(END_OF_HEAD) || said.length >= HEAD_BYTES_MAX || !mayBeRequest(said)) done(said);
  };
  const onEnd = () => done(said);
  const onClose = () => done(undefined);
  const stopWaiting = clock.setTimer(headTimeoutMs, () => done(undefined));
  client.on('data', onData).on('end', onEnd).on('close', onClose);
  client.resume();
}

/** Value of a cookie in the head of a request. */
export function readCookie(request: Buffer, name: string): string | undefined {
  const end = request.indexOf(END_OF_HEAD);
  if (end < 0) return undefined;
  const [, ...lines] = request.toString('latin1', 0, end).split('\r\n');
  for (const line of lines) {
    const [, cookies] = /^cookie:(.*)$/i.exec(line) ?? [];
    for (const cookie of cookies?.split(';') ?? []) {
      const at = cookie.indexOf('=');
      if (at > 0 && cookie.slice(0, at).trim() === name) return cookie.slice(at + 1).trim();
    }
  }
  return undefined;
}

/** Sets a cookie in the first answer that is one (not `100 Continue`). What is no HTTP/1 is left as it is. */
export class CookieSetter implements Editor {
  readonly #line: Buffer;
  #held: Buffer = Buffer.alloc(0);
  #isDone = false;

  constructor({ name, value }: { readonly name: string; readonly value: string }) {
    this.#line = Buffer.from(`\r\nSet-Cookie: ${name}=${value}; Path=/; HttpOnly; SameSite=Lax`, 'latin1');
  }

  get isDone(): boolean {
    return this.#isDone;
  }

  push(chunk: Buffer): Buffer | undefined {
    this.#held = this.#held.length === 0 ? chunk : Buffer.concat([this.#held, chunk]);
    const passed: Buffer[] = [];
    for (;;) {
      const end = this.#held.indexOf(END_OF_HEAD);
      if (!mayBeAnswer(this.#held) || (end < 0 && this.#held.length > HEAD_BYTES_MAX)) {
        this.#isDone = true;
        passed.push(this.#held);
        break;
      }
      if (end < 0) break;
      if (!isInterim(this.#held)) {
        this.#isDone = true;
        passed.push(this.#held.subarray(0, end), this.#line, this.#held.subarray(end));
        break;
      }
      passed.push(this.#held.subarray(0, end + END_OF_HEAD.length));
      this.#held = this.#held.subarray(end + END_OF_HEAD.length);
      if (this.#held.length === 0) break;
    }
    if (this.#isDone) this.#held = Buffer.alloc(0);
    return passed.length === 0 ? undefined : Buffer.concat(passed);
  }

  flush(): Buffer | undefined {
    return this.#held.length === 0 ? undefined : this.#held;
  }
}

function mayBeRequest(said: Buffer): boolean {
  return /^[A-Z]{1,24}(?: |$)/.test(said.toString('latin1', 0, 25));
}

function mayBeAnswer(said: Buffer): boolean {
  const start = 'HTTP/1.';
  const text = said.toString('latin1', 0, start.length);
  return text === start.slice(0, text.length);
}

/** `100 Continue`, `103 Early Hints`: the answer itself is still to come. After `101` no other head comes. */
function isInterim(said: Buffer): boolean {
  const status = said.toString('latin1', 9, 12);
  return status.startsWith('1') && status !== '101';
}
