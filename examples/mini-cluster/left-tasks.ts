/** Tasks of nodes whose processes died before they could stop them. */

import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { ClusterId, NodeId } from '@skep/core';
import { silentLogger, systemClock } from '@skep/core/member';
import { driverFrom, type NodeDriver } from './node-driver.ts';

/** Stops and removes whatever tasks a node has left. Nothing may be running on its directory. */
export async function removeLeftTasks(dir: string, hostname: string, options: NodeDriver): Promise<void> {
  const node = await idsOf(dir);
  if (node === undefined) return;
  const driver = await driverFrom(options);
  const { signal } = new AbortController();
  try {
    const context = { hostname, clock: systemClock, logger: silentLogger, stateDir: join(dir, 'agent') };
    for (const { id } of await driver.open({ ...node, ...context })) await driver.discard(id, { signal });
  } finally {
    await driver.close();
  }
}

/** Who the node of a directory is; undefined if it has come to be none. */
async function idsOf(dir: string): Promise<{ clusterId: ClusterId; nodeId: NodeId } | undefined> {
  const text = await readFile(join(dir, 'node.json'), 'utf8').catch(() => undefined);
  if (text === undefined) return undefined;
  const { clusterId, nodeId } = JSON.parse(text) as { clusterId: ClusterId; nodeId: NodeId };
  return { clusterId, nodeId };
}
