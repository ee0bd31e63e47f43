/**
 * The mini-cluster: managers and workers of one cluster, each a process of its own with its own state directory, on
 * loopback addresses of this machine. The launcher's process is no member: it keeps the nodes' processes running, and
 * what it wants of the cluster it asks of whichever manager is up, so that the death of any one is survived.
 */

import { existsSync } from 'node:fs';
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { InvalidSpecError } from '@skep/core';
import type { Applied, ApplyOptions, StackPort } from '@skep/stack';
import { buildPage } from '../../packages/view/build-page.ts';
import { removeLeftTasks } from './left-tasks.ts';
import { type HeldAddresses, holdAddresses, type NodeAddress, PLACES } from './loopback.ts';
import type {
  MemberOptions,
  NodeOrigin,
  Question,
  QuestionOf,
  TasksAtEnd,
  Values,
} from './member-messages.ts';
import { writeMemberProgram } from './member-program.ts';
import type { NodeDriver } from './node-driver.ts';
import { NodeFailure, NodeGone, NodeProcess, type NodeProcessEvent } from './node-process.ts';
import type { Picture } from './picture.ts';
import { PROGRAM_DIR } from './program-dir.ts';

/** Options of {@link Fleet.open}. */
export interface FleetOptions {
  /** Where the nodes' directories are. A cluster that is there goes on, with the nodes that it has. */
  readonly dir: string;
  /** Whether the directory is for a next time. If not, nothing is left of it. */
  readonly keep: boolean;
  readonly managers: number;
  readonly workers: number;
  /** What runs the tasks of the node at this address. */
  readonly driver: (host: string, nodes: number) => NodeDriver;
  /** With it, who has it may act from the view. Default: the view only shows. */
  readonly viewToken?: string;
  readonly signal?: AbortSignal;
}

/** A node of the fleet. */
export interface FleetNode {
  readonly hostname: string;
  readonly role: 'manager' | 'worker';
  readonly address: NodeAddress;
  readonly process: NodeProcess;
}

/** What happens to a node without anyone asking for it; pictures are told apart from it. */
export type FleetEvent = Exclude<NodeProcessEvent, { readonly kind: 'picture' }>;

/** Between two attempts to have a manager do something, in ms. */
const AGAIN_MS = 100;

/** So many nodes join at a time: what joining takes is a processor, to load the program and to make keys. */
const JOINING_AT_ONCE = 2 * availableParallelism();

/** So often a node may fail for a reason that may go away before its fleet gives up to open. */
const ATTEMPTS = 5;

/** Systems take no longer path for a socket, the end of the text included. */
const SOCKET_PATH_BYTES_MAX = 103;

const HOSTNAME = /^(manager|worker)-(\d+)$/;
/** Clusters that are kept take places from here on, so that those that come and go find others free. */
const KEPT_PLACE = 101;

/** A cluster of processes. Stacks can be applied to it. */
export class Fleet implements StackPort {
  readonly nodes: readonly FleetNode[];
  readonly services: Required<StackPort>['services'] = {
    apply: (spec, options) => this.#apply('services', [spec], options),
  };
  readonly networks: Required<StackPort>['networks'] = {
    apply: (spec, options) => this.#apply('networks', [spec], options),
  };
  readonly secrets: Required<StackPort>['secrets'] = {
    apply: (spec, data, options) => this.#apply('secrets', [spec, data], options),
  };
  readonly configs: Required<StackPort>['configs'] = {
    apply: (spec, data, options) => this.#apply('configs', [spec, data], options),
  };
  readonly #options: FleetOptions;
  readonly #held: HeldAddresses;
  readonly #listeners = new Set<() => void>();
  readonly #eventListeners = new Set<(node: FleetNode, event: FleetEvent) => void>();
  #shown: FleetNode | undefined;
  #picture: Picture | undefined;
  #turn = 0;
  #closing: Promise<void> | undefined;

  private constructor(options: FleetOptions, held: HeldAddresses, nodes: readonly FleetNode[]) {
    this.#options = options;
    this.#held = held;
    this.nodes = nodes;
    for (const node of nodes) node.process.on((event) => this.#take(node, event));
  }

  /**
   * Brings up the cluster of a directory, or makes it; resolves once all nodes are ready.
   *
   * @param onEvent - hears of nodes from the beginning
   * @throws NodeFailure when a node can't be started; Error when there is no address for one
   */
  static async open(
    options: FleetOptions,
    onEvent: (node: FleetNode, event: FleetEvent) => void = () => {},
  ): Promise<Fleet> {
    const { dir, keep, signal } = options;
    await mkdir(dir, { recursive: true });
    const hostnames = await hostnamesOf(options);
    const before = await readAddresses(dir);
    const firstPlace = keep ? KEPT_PLACE + Math.floor(Math.random() * (PLACES - KEPT_PLACE)) : 1;
    const held = await holdAddresses({
      before: hostnames.map((hostname) => before[hostname]),
      firstPlace,
      ...(signal && { signal }),
    });
    let program: string;
    try {
      const addresses = hostnames.map((hostname, at) => [hostname, held.addresses[at]] as const);
      await writeFile(join(dir, 'addresses.json'), JSON.stringify(Object.fromEntries(addresses)));
      [program] = await Promise.all([writeMemberProgram(join(dir, PROGRAM_DIR)), buildPage(pageDirOf(dir))]);
      signal?.throwIfAborted();
    } catch (error) {
      held[Symbol.dispose]();
      throw error;
    }
    const nodes = hostnames.flatMap((hostname, at): FleetNode[] => {
      const address = held.addresses[at];
      if (address === undefined) return [];
      const role = hostname.startsWith('manager') ? 'manager' : 'worker';
      const logFile = join(dir, `${hostname}.log`);
      return [{ hostname, role, address, process: new NodeProcess({ hostname, role, program, logFile }) }];
    });
    const fleet = new Fleet(options, held, nodes);
    fleet.onEvent(onEvent);
    try {
      await fleet.#begin();
      return fleet;
    } catch (error) {
      await fleet.close({ tasks: keep ? 'leave' : 'stop' });
      throw error;
    }
  }

  /** The cluster as it was told last; undefined before the first time. */
  get picture(): Picture | undefined {
    return this.#picture;
  }

  /** The node whose manager leads, as far as is known. */
  get leader(): FleetNode | undefined {
    const leader = this.#picture?.leader;
    return this.nodes.find(({ process }) => leader !== undefined && process.nodeId === leader);
  }

  /** Where the docker CLI finds a node; undefined where the path is too long for a socket. */
  socketOf(hostname: string): string | undefined {
    const path = join(this.#options.dir, `${hostname}.sock`);
    return Buffer.byteLength(path) > SOCKET_PATH_BYTES_MAX ? undefined : path;
  }

  /** Calls back when the picture has changed. Returns the way to stop. */
  onPicture(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Calls back when something happens to a node. Returns the way to stop. */
  onEvent(listener: (node: FleetNode, event: FleetEvent) => void): () => void {
    this.#eventListeners.add(listener);
    return () => this.#eventListeners.delete(listener);
  }

  /**
   * Resolves once the picture shows something.
   *
   * @throws the signal's reason
   */
  async until(holds: (picture: Picture) => boolean, signal?: AbortSignal): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      const end = () => {
        stop();
        signal?.removeEventListener('abort', onAbort);
      };
      const look = () => {
        if (this.#picture === undefined || !holds(this.#picture)) return;
        end();
        resolve();
      };
      const onAbort = () => {
        end();
        reject(signal?.reason);
      };
      const stop = this.onPicture(look);
      signal?.addEventListener('abort', onAbort, { once: true });
      if (signal?.aborted) onAbort();
      else look();
    });
  }

  /** Ends all nodes at once. Nothing stays of a cluster that is not kept. Safe to call twice. */
  close(options: { readonly tasks: TasksAtEnd }): Promise<void> {
    this.#closing ??= this.#close(options);
    return this.#closing;
  }

  async #close({ tasks }: { readonly tasks: TasksAtEnd }): Promise<void> {
    const { dir, keep } = this.#options;
    if (tasks === 'stop') await this.#stopTasks();
    await Promise.all(
      this.nodes.map(async (node) => {
        const wasInOrder = await node.process.end(tasks);
        if (wasInOrder || tasks === 'leave') return;
        const { dir: nodeDir, hostname, driver } = this.#memberOptions(node, { kind: 'there' });
        await removeLeftTasks(nodeDir, hostname, driver);
      }),
    );
    this.#held[Symbol.dispose]();
    if (!keep) await rm(dir, { recursive: true, force: true });
  }

  /** Ends all tasks while all managers are there to hear of it. What can't be asked is cleared up after. */
  async #stopTasks(): Promise<void> {
    const ready = this.nodes.filter(({ process }) => process.isReady);
    const asking = ready.map(({ process }) => process.ask<'stop-tasks'>({ kind: 'stop-tasks' }));
    await Promise.allSettled(asking);
  }

  async #begin(): Promise<void> {
    const { signal, dir } = this.#options;
    const isThere = ({ hostname }: FleetNode) => existsSync(join(dir, hostname, 'node.json'));
    const there = this.nodes.filter(isThere);
    const first = there.length > 0 ? there : this.nodes.slice(0, 1);
    const origin: NodeOrigin = { kind: there.length > 0 ? 'there' : 'first' };
    // Some load while the first comes up. More would only hold it up.
    for (const { process } of this.nodes.slice(0, JOINING_AT_ONCE)) process.start();
    await Promise.all(first.map((node) => this.#ready(node, origin)));
    const others = this.nodes.filter((node) => !first.includes(node));
    if (others.length > 0) {
      const { manager, worker } = await this.#ask({ kind: 'tokens' }, signal);
      const remotes = first.filter(({ role }) => role === 'manager').map(({ address }) => textOf(address));
      const tokens = { manager, worker };
      const left = others.values();
      const join = async () => {
        for (const node of left) await this.#ready(node, { kind: 'join', token: tokens[node.role], remotes });
      };
      await Promise.all(Array.from({ length: JOINING_AT_ONCE }, join));
    }
    const hostnames = new Set(this.nodes.map(({ hostname }) => hostname));
    await this.until(({ nodes }) => {
      const ready = nodes.filter(({ status }) => status.state === 'ready');
      return hostnames.size === ready.filter((node) => hostnames.has(node.description.hostname)).length;
    }, signal);
  }

  /** Resolves once the node is up. @throws NodeFailure; the signal's reason */
  #ready(node: FleetNode, origin: NodeOrigin): Promise<void> {
    const { signal } = this.#options;
    return new Promise((resolve, reject) => {
      let failures = 0;
      const end = (settle: () => void) => {
        stop();
        signal?.removeEventListener('abort', onAbort);
        settle();
      };
      const onAbort = () => end(() => reject(signal?.reason));
      const stop = node.process.on(({ kind }) => {
        if (kind === 'ready') end(resolve);
        const { failure } = node.process;
        if (kind !== 'failed' || failure === undefined) return;
        failures += 1;
        if (failure.retryable && failures < ATTEMPTS) return;
        const message = `${node.hostname}: ${failure.message}`;
        end(() => reject(new NodeFailure({ ...failure, message })));
      });
      signal?.addEventListener('abort', onAbort, { once: true });
      if (signal?.aborted) onAbort();
      node.process.begin(this.#memberOptions(node, origin));
    });
  }

  #memberOptions({ hostname, address }: FleetNode, origin: NodeOrigin): MemberOptions {
    const { dir, keep, driver, viewToken } = this.#options;
    return {
      ...{ hostname, origin, keep },
      dir: join(dir, hostname),
      ...socketPart(this.socketOf(hostname)),
      address: textOf(address),
      view: { pageDir: pageDirOf(dir), ...(viewToken !== undefined && { token: viewToken }) },
      driver: driver(address.host, this.nodes.length),
    };
  }

  #apply(
    collection: keyof StackPort,
    args: readonly unknown[],
    options: ApplyOptions = {},
  ): Promise<Applied> {
    return this.#ask({ kind: 'apply', collection, args }, options.signal);
  }

  /** Asks one manager after the other until one has done it. What is asked has to bear being done twice. */
  async #ask<K extends Question['kind']>(
    question: QuestionOf<K>,
    signal: AbortSignal | undefined,
  ): Promise<Values[K]> {
    for (;;) {
      signal?.throwIfAborted();
      const ready = this.nodes.filter(({ role, process }) => role === 'manager' && process.isReady);
      const manager = ready[this.#turn++ % ready.length];
      try {
        if (manager !== undefined) return await manager.process.ask(question, signal);
      } catch (error) {
        if (!(error instanceof NodeGone)) rethrowFinal(error);
      }
      await sleep(AGAIN_MS, undefined, signal === undefined ? {} : { signal });
    }
  }

  #take(node: FleetNode, event: NodeProcessEvent): void {
    if (event.kind === 'picture') {
      if (node !== this.#shown) return;
      this.#picture = event.picture;
      for (const listener of [...this.#listeners]) listener();
      return;
    }
    if (event.kind === 'ended' && node === this.#shown) this.#shown = undefined;
    if (this.#shown === undefined) {
      this.#shown = this.nodes.find(({ role, process }) => role === 'manager' && process.isReady);
      this.#shown?.process.show();
    }
    for (const listener of [...this.#eventListeners]) listener(node, event);
  }
}

/** @throws the error, unless asking again may help */
function rethrowFinal(error: unknown): void {
  if (!(error instanceof NodeFailure)) throw error;
  const { issues, retryable, code } = error.failure;
  if (issues !== undefined) throw new InvalidSpecError(issues);
  if (!retryable && code !== 'OUTCOME_UNKNOWN' && code !== 'CLOSED') throw error;
}

function socketPart(socket: string | undefined): { readonly socket?: string } {
  return socket === undefined ? {} : { socket };
}

function pageDirOf(dir: string): string {
  return join(dir, PROGRAM_DIR, 'page');
}

function textOf({ host, port }: NodeAddress): string {
  return `${host}:${port}`;
}

/** The nodes that are there and those that are wanted, managers first. */
async function hostnamesOf({ dir, managers, workers }: FleetOptions): Promise<readonly string[]> {
  const there = (await readdir(dir)).filter((name) => existsSync(join(dir, name, 'node.json')));
  const most = { manager: managers, worker: workers };
  for (const name of there) {
    const [, role, number] = HOSTNAME.exec(name) ?? [];
    if (role === 'manager' || role === 'worker') most[role] = Math.max(most[role], Number(number));
  }
  return (['manager', 'worker'] as const).flatMap((role) =>
    Array.from({ length: most[role] }, (_, at) => `${role}-${at + 1}`),
  );
}

async function readAddresses(dir: string): Promise<Readonly<Record<string, NodeAddress>>> {
  const text = await readFile(join(dir, 'addresses.json'), 'utf8').catch(() => '{}');
  return JSON.parse(text) as Record<string, NodeAddress>;
}
