/** An HTTP probe's question by `fetch`: where there is nothing better, as in a browser. */

import type { ProbeFetch } from './probe.ts';

/** Asks, and tells the status of the answer. Rejects with what `fetch` throws. */
export async function fetchStatus(
  ask: ProbeFetch,
  address: string,
  port: number,
  path: string,
  signal: AbortSignal,
): Promise<{ readonly status: number }> {
  const host = address.includes(':') ? `[${address}]` : address;
  const response = await ask(`http://${host}:${port}${path}`, { signal, redirect: 'manual' });
  // Nobody reads the body; left alone, it would hold the connection.
  await response.body?.cancel();
  return { status: response.status };
}
