/**
 * One node of the mini-cluster: a process of its own, which does what its launcher says and outlives it only as long
 * as it takes to end in order.
 */

import { readdir, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { InvalidSpecError, isSkepError } from '@skep/core';
import { EngineApi, NodeMembership } from '@skep/engine-api';
import { type MeshNode, UserspaceDataPlane } from '@skep/mesh';
import { init, isNodeError, join, lineLogger, type SkepNode, start } from '@skep/node';
import type {
  Answer,
  Failure,
  MemberOptions,
  Order,
  Question,
  Report,
  TasksAtEnd,
  Values,
} from './member-messages.ts';
import { driverFrom } from './node-driver.ts';
import { takePicture } from './picture.ts';
import { PROGRAM_DIR } from './program-dir.ts';
import { serveView } from './view-member.ts';

/** Between two pictures, at least, in ms. Changes in between are in the next one. */
const PICTURE_MS = 50;

const ending = new AbortController();
let member: { readonly options: MemberOptions; readonly node: Promise<SkepNode> } | undefined;

function report(message: Report): void {
  process.send?.(message, () => {});
}

function take(order: Order): void {
  switch (order.kind) {
    case 'begin':
      member = { options: order.as, node: begun(order.as) };
      member.node.then(
        async (node) => {
          const viewPort = await serveView(node, order.as);
          await serveApi(node, order.as);
          report({ kind: 'ready', nodeId: node.nodeId, ...(viewPort === undefined ? {} : { viewPort }) });
        },
        (error: unknown) => {
          if (ending.signal.aborted) return;
          const failed: Report = { kind: 'failed', failure: failureOf(error) };
          process.send?.(failed, () => process.exit(1));
        },
      );
      return;
    case 'ask':
      void answered(order.question).then((answer) => report({ kind: 'answer', id: order.id, answer }));
      return;
    case 'show':
      void show();
      return;
    case 'end':
      void end(order.tasks);
  }
}

/** Has the docker CLI drive the cluster through this node. */
async function serveApi(node: SkepNode, { socket, driver }: MemberOptions): Promise<void> {
  if (socket === undefined) return;
  const membership = new NodeMembership(node, driver.kind);
  const api = new EngineApi({ membership, logger: lineLogger(process.stderr) });
  await api.listen(socket);
  ending.signal.addEventListener('abort', () => void api.close());
}

/** The node that the directory holds, or a new one. */
async function begun({ origin, ...options }: MemberOptions): Promise<SkepNode> {
  const common = {
    dir: options.dir,
    hostname: options.hostname,
    listen: options.address,
    dataPlane: (node: MeshNode) => new UserspaceDataPlane({ node }),
    advertise: options.address,
    logger: lineLogger(process.stderr),
    signal: ending.signal,
  };
  const driver = () => driverFrom(options.driver);
  try {
    return await start({ ...common, driver: await driver() });
  } catch (error) {
    if (!isNodeError(error) || error.code !== 'NOT_A_NODE' || origin.kind === 'there') throw error;
  }
  if (origin.kind === 'first') return init({ ...common, driver: await driver() });
  return join({ ...common, driver: await driver(), token: origin.token, remote: origin.remotes });
}

async function answered(question: Question): Promise<Answer> {
  try {
    return { kind: 'value', value: await valueFor(question) };
  } catch (error) {
    return { kind: 'failure', failure: failureOf(error) };
  }
}

async function valueFor(question: Question): Promise<Values[Question['kind']]> {
  if (member === undefined) throw new Error('the node is not there yet');
  const node = await member.node;
  if (question.kind === 'tokens') return node.joinTokens();
  if (question.kind === 'stop-tasks') {
    await node.stopTasks({ drainDelay: false });
    return 'stopped';
  }
  const collection: { readonly apply: (...args: never[]) => Promise<Values['apply']> } =
    node.cluster[question.collection];
  return collection.apply(...(question.args as never[]));
}

/** Tells how the cluster is until this process ends. */
async function show(): Promise<void> {
  const node = await member?.node;
  if (node === undefined) return;
  let timer: NodeJS.Timeout | undefined;
  const tell = () => {
    timer = undefined;
    if (!ending.signal.aborted) report({ kind: 'picture', picture: takePicture(node.cluster, node.nodeId) });
  };
  const soon = () => {
    timer ??= setTimeout(tell, PICTURE_MS);
  };
  const { raft } = node.manager.context;
  const watch = node.cluster.watch().subscribe(soon);
  const stop = raft.onStatus(soon);
  ending.signal.addEventListener('abort', () => {
    watch.unsubscribe();
    stop();
    clearTimeout(timer);
  });
  soon();
}

/** Ends the node, and then this process. */
async function end(tasks: TasksAtEnd): Promise<void> {
  if (ending.signal.aborted) return;
  ending.abort(new Error('the node ends'));
  const node = await member?.node.catch(() => undefined);
  await node?.close({ tasks });
  process.exit(0);
}

/** The launcher is gone, and nobody else looks after the node. */
async function orphaned(): Promise<void> {
  if (ending.signal.aborted) return;
  if (member === undefined) process.exit(0);
  const { options, node } = member;
  ending.abort(new Error('the launcher is gone'));
  const running = await node.catch(() => undefined);
  await running?.close({ tasks: options.keep ? 'leave' : 'stop' });
  if (!options.keep) await removeAll(options.dir);
  process.exit(0);
}

/** Removes the node's directory, and that of the cluster if it was the last one. */
async function removeAll(dir: string): Promise<void> {
  await rm(dir, { recursive: true, force: true });
  const home = dirname(dir);
  const entries = await readdir(home, { withFileTypes: true }).catch(() => []);
  const isLast = !entries.some((entry) => entry.isDirectory() && entry.name !== PROGRAM_DIR);
  if (isLast) await rm(home, { recursive: true, force: true });
}

function failureOf(error: unknown): Failure {
  const message = error instanceof Error ? error.message : String(error);
  if (isSkepError(error) || isNodeError(error)) {
    const issues = error instanceof InvalidSpecError ? { issues: error.issues } : {};
    return { code: error.code, message, retryable: error.retryable, ...issues };
  }
  return { code: 'INTERNAL', message, retryable: false };
}

// A signal from the keyboard reaches every process of the terminal; the launcher says what to do about it.
for (const signal of ['SIGINT', 'SIGHUP', 'SIGTERM'] as const) process.on(signal, () => {});
process.on('message', (order) => take(order as Order));
process.on('disconnect', () => void orphaned());
if (!process.connected) process.exit(0);
