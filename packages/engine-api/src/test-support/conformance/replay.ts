/** Sends recorded requests to nodes of a cluster, and compares what they answer with what the engine did. */

import { ask, begin } from '../http.ts';
import { Correspondence } from './correspondence.ts';
import { type MeantDifference, meantDifference } from './meant.ts';
import type { RecordedExchange, Recording } from './recording.ts';
import { shapeDifferences, shapeOf } from './shape.ts';

/** A difference, and the reason for it where it is meant. */
export interface Difference {
  readonly text: string;
  readonly meant: MeantDifference | undefined;
}

/** One exchange, replayed. */
export interface ReplayedExchange {
  readonly recording: string;
  readonly request: string;
  readonly differences: readonly Difference[];
}

/** The sockets of three nodes that are in no swarm, and the address of the first as a manager. */
export interface ReplayTarget {
  readonly sockets: { readonly n1: string; readonly n2: string; readonly n3: string };
  readonly remote: string;
}

/** Which node a command was given to; the first, unless it stands here. */
const ASKED_NODES: Readonly<Record<string, 'n2' | 'n3'>> = {
  '11-swarm-join': 'n2',
  '12-swarm-join-bad-token-error': 'n3',
  '12b-swarm-join-3': 'n3',
  '13-node-ls-on-worker-error': 'n2',
  '13b-info-worker': 'n2',
  '13c-swarm-join-again-error': 'n2',
  '55-swarm-leave-worker': 'n2',
};

/** How often it is asked at most whether tasks run: some never do, for want of what they mount. */
const STARTING_ROUNDS = 300;
/** How often it is asked at most whether updates have ended: a change during one leaves the spec before as it is. */
const UPDATING_ROUNDS = 10_000;
const UNDER_WAY = ['updating', 'rollback_started'];

/** Replays all of them in their order. */
export async function replay(all: readonly Recording[], target: ReplayTarget): Promise<ReplayedExchange[]> {
  const replayer = new Replayer(target);
  const replayed: ReplayedExchange[] = [];
  for (const recording of all) replayed.push(...(await replayer.replay(recording)));
  return replayed;
}

class Replayer {
  readonly #target: ReplayTarget;
  readonly #names: Correspondence;

  constructor(target: ReplayTarget) {
    this.#target = target;
    this.#names = new Correspondence(target.remote);
  }

  async replay({ name, exchanges }: Recording): Promise<ReplayedExchange[]> {
    const { sockets } = this.#target;
    const socket = sockets[ASKED_NODES[name] ?? 'n1'];
    const replayed: ReplayedExchange[] = [];
    for (const exchange of exchanges) {
      const { method, path } = exchange.request;
      const request = `${method} ${path}`;
      const found = await this.#exchange(socket, exchange);
      const differences = found.map((text) => ({ text, meant: meantDifference({ name, request, text }) }));
      replayed.push({ recording: name, request, differences });
    }
    if (exchanges.some(({ request }) => request.method !== 'GET' && request.method !== 'HEAD')) {
      await settled(sockets.n1);
    }
    return replayed;
  }

  async #exchange(socket: string, { request, response }: RecordedExchange): Promise<string[]> {
    await this.#findToken(request.body?.json);
    await this.#findTask(socket, request.path, response.body?.json);
    const path = await this.#path(socket, request.path, response.status);
    const headers = {
      ...(request.contentType !== undefined && { 'content-type': request.contentType }),
      ...(request.registryAuth !== undefined && { 'x-registry-auth': request.registryAuth }),
    };
    const body = this.#body(request.body);
    if (response.end !== undefined) {
      const stream = await begin({ socketPath: socket, method: request.method, path, headers }, body);
      stream.destroy();
      const type = stream.headers['content-type'];
      return headDifferences(response, { status: stream.statusCode ?? 0, type, json: undefined });
    }
    const answer = await ask(socket, request.method, path, body, headers);
    const recorded = response.body?.json;
    const differences = headDifferences(response, { ...answer, type: answer.headers['content-type'] });
    // A refusal of one and an answer of the other have nothing in common.
    if (recorded === undefined || answer.status !== response.status) return differences;
    this.#names.learn(recorded, answer.json);
    const shapes = shapeDifferences(shapeOf(recorded), shapeOf(answer.json));
    return [...differences, ...shapes.map(({ text }) => text)];
  }

  async #path(socket: string, recorded: string, status: number): Promise<string> {
    const [path = '', query] = recorded.split('?', 2);
    const ours = this.#names.translate(path);
    if (query === undefined) return ours;
    const params = new URLSearchParams(query);
    for (const [key, value] of params) params.set(key, this.#names.translate(value));
    // What was up to date there is so here by another number.
    const version = Number(params.get('version'));
    if (status !== 500 && version > 1) {
      const { json } = await ask(socket, 'GET', ours.replace(/\/update$/, ''));
      const { Version: now } = json as { readonly Version?: { readonly Index: number } };
      if (now !== undefined) params.set('version', String(now.Index));
    }
    return `${ours}?${params}`;
  }

  #body(body: RecordedExchange['request']['body']): string | undefined {
    if (body === undefined) return undefined;
    if (body.json === undefined) return body.text ?? '';
    const text = JSON.stringify(body.json, (_key, value: unknown) => zeroBytes(value) ?? value);
    return this.#names.translate(text);
  }

  /** A token that no answer has shown is the one that a rotation has made meanwhile: here, too. */
  async #findToken(body: unknown): Promise<void> {
    const { JoinToken: token } = (body ?? {}) as { readonly JoinToken?: string };
    // The one of only ones is wrong on purpose.
    if (token === undefined || this.#names.knows(token) || !/^SWMTKN-1-.*[^1-]/.test(token)) return;
    const { json } = await ask(this.#target.sockets.n1, 'GET', '/swarm');
    const { JoinTokens: tokens } = json as { readonly JoinTokens?: { readonly Worker: string } };
    if (tokens !== undefined) this.#names.set(token, tokens.Worker);
  }

  /** A task that no list has shown before is any one of its service, best one in the same slot and state. */
  async #findTask(socket: string, path: string, recorded: unknown): Promise<void> {
    const id = /\/tasks\/([a-z0-9]{25})$/.exec(path)?.[1];
    if (id === undefined || this.#names.knows(id)) return;
    const { ServiceID, Slot, DesiredState } = (recorded ?? {}) as Readonly<Record<string, unknown>>;
    const filters = encodeURIComponent(
      JSON.stringify({ service: [this.#names.translate(String(ServiceID))] }),
    );
    const { json } = await ask(socket, 'GET', `/tasks?filters=${filters}`);
    const tasks = Array.isArray(json) ? (json as Readonly<Record<string, unknown>>[]) : [];
    const alike = tasks.filter((task) => task['DesiredState'] === DesiredState);
    const best = alike.find((task) => task['Slot'] === Slot) ?? alike[0] ?? tasks[0];
    if (typeof best?.['ID'] === 'string') this.#names.set(id, best['ID']);
  }
}

/** Data of that many bytes, where the recording says only how many. */
function zeroBytes(value: unknown): string | undefined {
  if (typeof value !== 'object' || value === null || !('zeroBytes' in value)) return undefined;
  return Buffer.alloc(Number(value.zeroBytes)).toString('base64');
}

function headDifferences(
  recorded: RecordedExchange['response'],
  {
    status,
    type,
    json,
  }: { readonly status: number; readonly type: string | undefined; readonly json: unknown },
): string[] {
  if (status !== recorded.status) {
    const { message = '' } = (json ?? {}) as { readonly message?: string };
    return [`status ${status} (${message}) instead of ${recorded.status}`];
  }
  const [expected] = recorded.contentType?.split(';') ?? [];
  const [answered] = type?.split(';') ?? [];
  return expected === answered ? [] : [`content type ${answered} instead of ${expected}`];
}

/** Asks until no root is rotated, no update goes on and every service has as many tasks running as it shall have. */
async function settled(socket: string): Promise<void> {
  for (let round = 0; round < UPDATING_ROUNDS; round++) {
    const swarm = await ask(socket, 'GET', '/swarm');
    if (swarm.status !== 200) return;
    const { json } = await ask(socket, 'GET', '/services?status=true');
    const services = Array.isArray(json) ? (json as readonly ServiceAnswer[]) : [];
    const { RootRotationInProgress: isRotating } = swarm.json as { readonly RootRotationInProgress: boolean };
    if (isRotating || services.some(isUpdating)) continue;
    if (round >= STARTING_ROUNDS || services.every(isRunning)) return;
  }
}

interface ServiceAnswer {
  readonly ServiceStatus: { readonly RunningTasks: number; readonly DesiredTasks: number };
  readonly UpdateStatus?: { readonly State?: string };
  readonly JobStatus?: object;
}

function isUpdating({ UpdateStatus: status }: ServiceAnswer): boolean {
  return UNDER_WAY.includes(status?.State ?? '');
}

function isRunning({ ServiceStatus: status, JobStatus: job }: ServiceAnswer): boolean {
  return job !== undefined || status.RunningTasks >= status.DesiredTasks;
}
