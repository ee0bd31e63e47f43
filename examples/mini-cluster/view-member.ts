/** The view as a manager of the mini-cluster serves it: to the launcher, which passes on what browsers ask. */

import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { SkepNode } from '@skep/node';
import { ClusterMetrics, clusterSource } from '@skep/view';
import { viewHandler } from '@skep/view/node';
import type { MemberOptions } from './member-messages.ts';

/** Begins to serve it on a port of the node's host. Gives the port; undefined where the node is no manager. */
export async function serveView(
  node: SkepNode,
  { address, view }: MemberOptions,
): Promise<number | undefined> {
  if (node.role !== 'manager') return undefined;
  const { cluster, nodeId } = node;
  const { raft } = node.manager.context;
  const metrics = new ClusterMetrics(cluster, { raft: () => raft.status });
  const { pageDir, token } = view;
  const handler = viewHandler({
    source: clusterSource(cluster, { nodeId, actions: token !== undefined }),
    metrics: () => metrics.collect(),
    pageDir,
    ...(token === undefined ? {} : { token }),
  });
  const server = createServer(handler);
  server.unref();
  await new Promise<void>((resolve) => {
    server.listen({ host: address.slice(0, address.lastIndexOf(':')), port: 0 }, resolve);
  });
  return (server.address() as AddressInfo).port;
}
