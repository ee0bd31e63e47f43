/** Which answers leave it open whether a command was taken: asked again under its id, it is never taken twice. */

import { isSkepError } from '@skep/core';

/** How long whoever asks waits in between, in ms. */
export const ASK_AGAIN_MS = 200;

const OPEN: ReadonlySet<string> = new Set(['UNAVAILABLE', 'OUTCOME_UNKNOWN', 'CLOSED', 'TIMEOUT', 'ABORTED']);

/** Whether this error is such an answer. */
export function isOpen(error: unknown): boolean {
  return isSkepError(error) && OPEN.has(error.code);
}
