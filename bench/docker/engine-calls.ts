/** Calls to an engine as its own tools make them, over connections that are kept; and waits that end. */

import http from 'node:http';
import { setTimeout as pause } from 'node:timers/promises';
import type { PrivateEngine } from '@skep/docker-driver/testing';

/** Longest that is waited for one step, so that a benchmark which hangs ends, and says what it waited for. */
export const STEP_MS = 600_000;

/** Calls the engine's API; gives what it answers. @throws Error when it refuses. */
export type EngineCall = (method: string, path: string, body?: object) => Promise<unknown>;

/** Resolves once the engine has no container any more. */
export function untilBare(engine: PrivateEngine): Promise<void> {
  return until('an engine without containers', 50, async () => {
    const left = await engine.request<readonly unknown[]>('GET', '/containers/json?all=1');
    return left.length === 0;
  });
}

/** Asks again and again. @throws Error when it has not come within {@link STEP_MS} */
export async function until(what: string, everyMs: number, isSo: () => Promise<boolean>): Promise<void> {
  const end = performance.now() + STEP_MS;
  while (!(await isSo())) {
    if (performance.now() > end) throw new Error(`${what} did not come within ${STEP_MS / 1000} s`);
    await pause(everyMs);
  }
}

/** Calls over the connections of an agent, which is the caller's to destroy. */
export function caller(socketPath: string, agent: http.Agent): EngineCall {
  return (method: string, path: string, body?: object): Promise<unknown> =>
    new Promise((resolve, reject) => {
      const data = body === undefined ? '' : JSON.stringify(body);
      const headers = { 'Content-Type': 'application/json', 'Content-Length': Buffer.byteLength(data) };
      const request = http.request({ socketPath, path, method, headers, agent }, (response) => {
        const pieces: Buffer[] = [];
        response.on('error', reject);
        response.on('data', (piece: Buffer) => pieces.push(piece));
        response.on('end', () => {
          const text = Buffer.concat(pieces).toString('utf8');
          if ((response.statusCode ?? 0) >= 400) reject(new Error(`${method} ${path}: ${text}`));
          else resolve(text === '' ? undefined : JSON.parse(text));
        });
      });
      request.on('error', reject);
      request.end(data);
    });
}
