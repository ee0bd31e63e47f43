/**
 * The data plane that needs no privileges: balancers in this process. Virtual addresses are loopback ones of the node,
 * published ports are listened for at the node's address.
 */

import type { Clock, ServiceId } from '@skep/core';
import { systemClock } from '@skep/core/member';
import type { MeshChange, MeshDataPlane, MeshNode, MeshProblem, MeshStatus } from '../data-plane.ts';
import { DnsServer } from '../dns/dns-server.ts';
import type { Resolver } from '../dns/forwarder.ts';
import { NameTable } from '../dns/name-table.ts';
import { MeshIndex } from '../mesh-index.ts';
import { LoopbackAddresses, loopbackRange } from './loopback-addresses.ts';
import { ServiceFront } from './service-front.ts';
import { planService, type ServicePlan } from './service-listeners.ts';

/** What it is made of. */
export interface UserspaceDataPlaneOptions {
  readonly node: MeshNode;
  /** Addresses of this machine that published ports answer at. Default: the node's. */
  readonly publishOn?: readonly string[];
  /**
   * Services get virtual addresses in the node's loopback range. Default: on Linux; elsewhere only 127.0.0.1 answers,
   * and services are reached by their published ports alone.
   */
  readonly virtualAddresses?: boolean;
  /**
   * Answers questions for names there, over UDP and TCP; whoever asks by loopback or the node's address is told all of
   * them. Absent: nobody does.
   */
  readonly dns?: { readonly host: string; readonly port: number; readonly resolvers?: readonly Resolver[] };
  /** Until a port that could not be had is tried again, in ms. Default 1 s. */
  readonly retryMs?: number;
  /** Default: the system's. */
  readonly clock?: Clock;
}

const RETRY_MS = 1_000;

/** Passes traffic on in this process. */
export class UserspaceDataPlane implements MeshDataPlane {
  readonly name = 'userspace';
  readonly #index = new MeshIndex();
  readonly #names: NameTable;
  readonly #dns: DnsServer | undefined;
  #isDnsOpen = false;
  #dnsProblem: MeshProblem | undefined;
  readonly #options: UserspaceDataPlaneOptions;
  readonly #clock: Clock;
  readonly #addresses: LoopbackAddresses | undefined;
  readonly #fronts = new Map<ServiceId, ServiceFront>();
  /** Services that have problems. */
  readonly #troubled = new Set<ServiceId>();
  readonly #listeners = new Set<(status: MeshStatus) => void>();
  #status: MeshStatus = { problems: [] };
  #last: Promise<void> = Promise.resolve();
  #cancelRetry: (() => void) | undefined;
  #isClosed = false;

  constructor(options: UserspaceDataPlaneOptions) {
    const { node, clock = systemClock, virtualAddresses = process.platform === 'linux' } = options;
    this.#options = options;
    this.#clock = clock;
    this.#addresses = virtualAddresses ? new LoopbackAddresses(loopbackRange(node)) : undefined;
    this.#names = new NameTable(this.#index, {
      ofService: ({ id }) => [this.vipOf(id)].filter((address) => address !== undefined),
      // Where they are is nothing to connect to without their ports, which come by another way.
      ofTask: ({ nodeAddress }) => [nodeAddress],
    });
    const { dns } = options;
    const more = dns?.resolvers && { resolvers: dns.resolvers };
    this.#dns = dns && new DnsServer({ node, clock, index: this.#index, names: this.#names, ...more });
  }

  /** The virtual address of a service on this node. Undefined: it has none. */
  vipOf(id: ServiceId): string | undefined {
    return this.#addresses?.of(id);
  }

  apply(change: MeshChange, signal: AbortSignal): Promise<void> {
    return this.#inTurn(async () => {
      signal.throwIfAborted();
      const { services } = this.#index.take(change);
      const plans = this.#decide(services);
      // Between the first and the last of these there is no turn of the event loop: whoever left gets nothing more.
      for (const [id, plan] of plans) this.#frontOf(id).takePools(plan);
      for (const [id, plan] of plans) this.#frontOf(id).release(plan);
      this.#names.take(services);
      await this.#open(plans.keys());
    });
  }

  status(): MeshStatus {
    return this.#status;
  }

  onStatus(listener: (status: MeshStatus) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** All of it is in this process, so there is nothing to `keep`. */
  async close(): Promise<void> {
    this.#isClosed = true;
    this.#cancelRetry?.();
    this.#dns?.close();
    await this.#last.catch(() => {});
    for (const front of this.#fronts.values()) front.destroy();
    this.#fronts.clear();
  }

  #decide(ids: Iterable<ServiceId>): Map<ServiceId, ServicePlan> {
    const plans = new Map<ServiceId, ServicePlan>();
    for (const id of ids) {
      const plan = this.#planOf(id);
      if (plan !== undefined) plans.set(id, plan);
      else this.#drop(id);
    }
    return plans;
  }

  /** Undefined: there is no such service. */
  #planOf(id: ServiceId): ServicePlan | undefined {
    const service = this.#index.services.get(id);
    if (service === undefined) return undefined;
    const vip = this.#addresses?.give(id);
    const publishOn = this.#options.publishOn ?? [this.#options.node.address];
    return planService(service, this.#index.endpointsOf(id), { publishOn, ...(vip && { vip }) });
  }

  /** What is under way goes on until its tasks end it; the front is forgotten once nothing is. */
  #drop(id: ServiceId): void {
    const front = this.#fronts.get(id);
    if (!front) return;
    front.takePools({ pools: [], listeners: [] });
    front.release({ listeners: [] });
    this.#addresses?.free(id);
    this.#troubled.delete(id);
    if (!front.isDraining) this.#fronts.delete(id);
  }

  async #open(ids: Iterable<ServiceId>): Promise<void> {
    for (const id of ids) {
      const service = this.#index.services.get(id);
      const plan = this.#planOf(id);
      if (!service || !plan || this.#isClosed) continue;
      const front = this.#frontOf(id);
      await front.open(service, plan);
      if (front.problems.length > 0) this.#troubled.add(id);
      else this.#troubled.delete(id);
    }
    if (!this.#isDnsOpen && !this.#isClosed) await this.#openDns();
    this.#tell();
    this.#retryLater();
  }

  async #openDns(): Promise<void> {
    const { dns } = this.#options;
    if (!dns || !this.#dns) return;
    try {
      await this.#dns.listen(dns.host, dns.port);
      this.#isDnsOpen = true;
      this.#dnsProblem = undefined;
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      const message = `names can't be answered at ${dns.host}:${dns.port}: ${why}; free the port, or say another one`;
      this.#dnsProblem = { subject: { kind: 'node' }, code: 'dns-port-unavailable', message };
    }
  }

  #frontOf(id: ServiceId): ServiceFront {
    const known = this.#fronts.get(id);
    if (known) return known;
    const front = new ServiceFront(this.#clock);
    this.#fronts.set(id, front);
    return front;
  }

  #retryLater(): void {
    if (this.#status.problems.length === 0 || this.#isClosed) return;
    this.#cancelRetry ??= this.#clock.setTimer(this.#options.retryMs ?? RETRY_MS, () => {
      this.#cancelRetry = undefined;
      void this.#inTurn(() => this.#open([...this.#troubled]));
    });
  }

  #tell(): void {
    const problems = [
      ...(this.#dnsProblem ? [this.#dnsProblem] : []),
      ...[...this.#troubled].flatMap((id) => this.#fronts.get(id)?.problems ?? []),
    ];
    const wasSame = problems.map(({ message }) => message).join('\n');
    if (wasSame === this.#status.problems.map(({ message }) => message).join('\n')) return;
    this.#status = { problems };
    for (const listener of this.#listeners) listener(this.#status);
  }

  #inTurn(work: () => Promise<void>): Promise<void> {
    const turn = this.#last.catch(() => {}).then(work);
    this.#last = turn;
    return turn;
  }
}
