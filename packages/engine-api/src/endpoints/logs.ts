/** `/services/…/logs` and `/tasks/…/logs`: what tasks print, as multiplexed frames. */

import { once } from 'node:events';
import { type Cluster, isSkepError, type Task } from '@skep/core';
import { managerOf } from '../membership/swarm-refusals.ts';
import type { Route } from '../server/engine-server.ts';
import type { Exchange } from '../server/exchange.ts';
import { Refusal } from '../server/refusal.ts';
import type { ApiContext } from './context.ts';
import { LogFrames, type LogPiece } from './log-frames.ts';
import { findService, findTask } from './references.ts';

/** From this version on the answer says of what type it is. */
const TYPED_SINCE = 42;

/** The routes of logs. */
export function logRoutes({ membership }: ApiContext): readonly Route[] {
  const cluster = () => managerOf(membership).cluster;
  return [
    [
      'GET',
      '/services/:id/logs',
      async (exchange) => {
        const here = cluster();
        const { id } = findService(here, exchange.param('id'));
        await stream(exchange, here, (wanted) => here.services.logs(id, wanted), undefined);
        return undefined;
      },
    ],
    [
      'GET',
      '/tasks/:id/logs',
      async (exchange) => {
        const here = cluster();
        const task = findTask(here, exchange.param('id'));
        await stream(exchange, here, (wanted) => piecesOf(here, task, wanted), task);
        return undefined;
      },
    ],
  ];
}

interface Wanted {
  readonly follow: boolean;
  readonly tail?: number;
  readonly since?: number;
  readonly signal: AbortSignal;
}

async function* piecesOf(cluster: Cluster, task: Task, wanted: Wanted): AsyncIterable<LogPiece> {
  const { id: taskId, slot, nodeId } = task;
  if (nodeId === undefined) return;
  for await (const chunk of cluster.tasks.logs(taskId, wanted)) yield { ...chunk, taskId, slot, nodeId };
}

async function stream(
  exchange: Exchange,
  cluster: Cluster,
  read: (wanted: Wanted) => AsyncIterable<LogPiece>,
  task: Task | undefined,
): Promise<void> {
  const { response, signal, version } = exchange;
  const streams = { stdout: exchange.flag('stdout'), stderr: exchange.flag('stderr') };
  if (!streams.stdout && !streams.stderr) {
    throw new Refusal(500, 'Bad parameters: you must choose at least one stream');
  }
  const wanted: Wanted = { ...rangeOf(exchange), follow: exchange.flag('follow'), signal };
  const isRaw = task?.spec.tty === true;
  if (version >= TYPED_SINCE) {
    const kind = isRaw ? 'raw' : 'multiplexed';
    response.setHeader('Content-Type', `application/vnd.docker.${kind}-stream`);
  }
  response.writeHead(200);
  response.flushHeaders();
  const frames = new LogFrames({
    isRaw,
    details: exchange.flag('details'),
    timestamps: exchange.flag('timestamps'),
    serviceOf: (taskId) => serviceOf(cluster, taskId),
  });
  try {
    for await (const piece of read(wanted)) {
      if (!streams[piece.stream]) continue;
      // A client that reads slowly holds up its own stream, and nothing else.
      if (!response.write(frames.take(piece))) await drained(exchange);
    }
  } catch (error) {
    // Its beginning was sent: nothing else can be told but that it ended.
    if (!signal.aborted && !(isSkepError(error) && error.code === 'PRECONDITION_FAILED')) throw error;
  }
  const rest = frames.rest();
  if (rest.length > 0) response.write(rest);
  response.end();
}

async function drained({ response, signal }: Exchange): Promise<void> {
  await once(response, 'drain', { signal });
}

function rangeOf(exchange: Exchange): { tail?: number; since?: number } {
  const tail = exchange.query.get('tail') ?? '';
  const since = exchange.query.get('since') ?? '';
  const lines = Number(tail);
  const isCounted = tail !== '' && tail !== 'all' && Number.isSafeInteger(lines) && lines >= 0;
  const seconds = since === '' ? 0 : secondsOf(since);
  return { ...(isCounted && { tail: lines }), ...(seconds > 0 && { since: Math.floor(seconds * 1_000) }) };
}

/** Seconds since 1970, fractions allowed; or a moment as RFC 3339 has it. @throws Refusal 400 */
export function secondsOf(text: string): number {
  const seconds = /^\d+(\.\d+)?$/.test(text) ? Number(text) : Date.parse(text) / 1_000;
  if (Number.isFinite(seconds)) return seconds;
  throw new Refusal(400, `invalid time '${text}'`);
}

function serviceOf({ tasks }: Cluster, taskId: string): string {
  try {
    return tasks.inspect(taskId).serviceId;
  } catch {
    return '';
  }
}
