/**
 * What an engine says when it refuses, and what is meant when it says nothing: told apart by whether asking again may
 * help, and always in the engine's own words.
 */

import { DriverError } from '@skep/core/driver';

/** An engine's refusal, or its silence. */
export class EngineError extends Error {
  override readonly name = 'EngineError';
  /** HTTP status; undefined when no answer came. */
  readonly status: number | undefined;

  constructor(message: string, status: number | undefined, cause?: unknown) {
    super(message, { cause });
    this.status = status;
  }

  /** No answer came: the engine is away, or hangs. */
  get isSilence(): boolean {
    return this.status === undefined;
  }
}

/** Whether it is a refusal with one of these statuses. */
export function hasStatus(error: unknown, ...statuses: readonly number[]): error is EngineError {
  return error instanceof EngineError && error.status !== undefined && statuses.includes(error.status);
}

/** Whether no answer came. */
export function isSilence(error: unknown): error is EngineError {
  return error instanceof EngineError && error.isSilence;
}

/** Turns what the client library throws into an {@link EngineError}. */
export function toEngineError(error: unknown, what: string): EngineError {
  if (error instanceof EngineError) return error;
  if (!(error instanceof Error)) return new EngineError(`${what}: ${String(error)}`, undefined);
  const { statusCode, json, code } = error as {
    readonly statusCode?: unknown;
    readonly json?: unknown;
    readonly code?: unknown;
  } & Error;
  if (typeof statusCode === 'number')
    return new EngineError(wordsOf(json) ?? plain(error.message), statusCode, error);
  const told = typeof code === 'string' && !error.message.includes(code) ? ` (${code})` : '';
  return new EngineError(`${what}: the engine does not answer: ${error.message}${told}`, undefined, error);
}

function wordsOf(json: unknown): string | undefined {
  if (typeof json !== 'object' || json === null || !('message' in json)) return undefined;
  return typeof json.message === 'string' ? json.message.trim() : undefined;
}

/** The client library's own frame around the words: `(HTTP code 404) no such image - words `. */
function plain(message: string): string {
  const inner = message.replace(/^\(HTTP code \d+\) .*? - /s, '').trim();
  return wordsOf(tryParse(inner)) ?? inner;
}

function tryParse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** What never gets better by asking again, though the engine calls it its own fault. */
const FINAL = [
  /no space left on device/i,
  /port is already allocated/i,
  /address already in use/i,
  /OCI runtime create failed/i,
  /executable file not found/i,
  /invalid mount config/i,
  /failed to initialize logging driver/i,
  /unknown log opt/i,
  /unable to find (user|group)/i,
  /error gathering device information/i,
];

/** Whether the same call may succeed later. */
export function mayPass(error: EngineError): boolean {
  if (error.status === undefined) return true;
  if (error.status < 500) return false;
  return !FINAL.some((pattern) => pattern.test(error.message));
}

/** The same in the port's words. */
export function toDriverError(error: unknown, what: string): DriverError {
  if (error instanceof DriverError) return error;
  const engineError = toEngineError(error, what);
  const words = engineError.isSilence ? engineError.message : `${what}: ${engineError.message}`;
  return new DriverError(words, { cause: engineError, temporary: mayPass(engineError) });
}
