/**
 * The data plane of the Linux kernel's own parts: nftables for virtual addresses and published ports, VXLAN bridges for
 * networks, WireGuard for those that nobody may read along.
 *
 * Balancing is programmed while `apply` is waited for. Networks are brought about behind it, since an engine may take
 * its time; what can't be had is told as a problem and tried again. Both are compared with what the kernel has from
 * time to time, so it does not matter who flushed its rules.
 */

import type { Clock, NetworkId, ServiceId } from '@skep/core';
import type { DriverNetworks } from '@skep/core/driver';
import { systemClock } from '@skep/core/member';
import type {
  MeshChange,
  MeshDataPlane,
  MeshNode,
  MeshProblem,
  MeshService,
  MeshStatus,
} from '../data-plane.ts';
import { MeshIndex } from '../mesh-index.ts';
import { Overlay, type WantedNetwork } from '../overlay/overlay.ts';
import { type WatchCommand, watchCommand } from '../overlay/port-watch.ts';
import { WireGuard } from '../overlay/wireguard.ts';
import { familyOf } from './address-text.ts';
import { Balancer } from './balancer.ts';
import { type RunCommand, runCommand } from './command.ts';
import { bridgeName, tableName, wireGuardName } from './names.ts';
import { PublishedPorts } from './published-ports.ts';
import { Repeated } from './repeated.ts';
import { missingRequirements } from './requirements.ts';
import type { Ruleset } from './ruleset.ts';
import { type ServiceRules, serviceRules } from './service-rules.ts';

/** What a data plane of the kernel needs. */
export interface KernelDataPlaneOptions {
  readonly node: MeshNode;
  /** Whoever runs the node's containers. Absent: no containers are put into networks. */
  readonly engine?: DriverNetworks;
  /**
   * Other nodes are on this machine, too, with the same engine: networks are bridges and nothing more, and published
   * ports answer at the node's own address alone. Default false.
   */
  readonly sharesMachine?: boolean;
  /** Something answers names on the node's address in each network, for containers to ask. Default false. */
  readonly hasResolver?: boolean;
  /** How often the kernel is asked whether all is as it was left, in milliseconds. Default 10 seconds. */
  readonly verifyMs?: number;
  /** Default: the system's. */
  readonly clock?: Clock;
  /** How tools are run, and those that tell what happens. Default: on this machine. */
  readonly run?: RunCommand;
  readonly watch?: WatchCommand;
}

const VERIFY_MS = 10_000;

/** The data plane. */
export class KernelDataPlane implements MeshDataPlane {
  readonly name = 'kernel';
  /** Of the node's WireGuard key: other nodes are told it. Undefined: this machine has no WireGuard tools. */
  readonly publicKey: string | undefined;
  readonly #node: MeshNode;
  readonly #sharesMachine: boolean;
  readonly #index = new MeshIndex();
  readonly #rules = new Map<ServiceId, ServiceRules>();
  readonly #ports: PublishedPorts;
  readonly #balancer: Balancer;
  readonly #overlay: Overlay;
  /** Compares what is with what should be. */
  readonly #upkeep: Repeated;
  readonly #listeners = new Set<(status: MeshStatus) => void>();
  #networkProblems: readonly MeshProblem[] = [];
  #rulesProblem: MeshProblem | undefined;
  #status: MeshStatus = { problems: [] };
  #last: Promise<void> = Promise.resolve();
  #isClosed = false;

  private constructor(options: KernelDataPlaneOptions, wireGuard: WireGuard | undefined) {
    const { node, engine, sharesMachine = false, hasResolver = false, run = runCommand } = options;
    const { clock = systemClock, verifyMs = VERIFY_MS, watch = watchCommand } = options;
    this.publicKey = wireGuard?.publicKey;
    this.#node = node;
    this.#sharesMachine = sharesMachine;
    this.#ports = new PublishedPorts(sharesMachine ? node.address : undefined);
    this.#balancer = new Balancer(run, tableName(node.id));
    this.#overlay = new Overlay({ run, watch, node, engine, wireGuard, sharesMachine, hasResolver });
    this.#upkeep = new Repeated((signal) => this.#keepUp(signal), clock, verifyMs);
  }

  /**
   * Makes one, where the machine has what it takes.
   *
   * @returns why not, otherwise; nothing was changed then
   */
  static async open(options: KernelDataPlaneOptions): Promise<KernelDataPlane | readonly MeshProblem[]> {
    const { node, run = runCommand } = options;
    const missing = await missingRequirements(run);
    if (missing.length > 0) return missing;
    const hasTools = await run('wg', ['--version']).then(
      () => true,
      () => false,
    );
    const device = wireGuardName(node.id);
    return new KernelDataPlane(options, hasTools ? await WireGuard.open(run, device) : undefined);
  }

  apply(change: MeshChange, signal: AbortSignal): Promise<void> {
    return this.#inTurn(async () => {
      signal.throwIfAborted();
      const { services, networks } = this.#index.take(change);
      const arePortsOther = [...services].some((id) => this.#portsDiffer(id));
      const concerned = arePortsOther
        ? new Set([...services, ...(await this.#ports.take(this.#index.services.values()))])
        : services;
      let areVipsOther = false;
      for (const id of concerned) areVipsOther = this.#decide(id) || areVipsOther;
      await this.#program();
      if (networks || areVipsOther) this.#upkeep.now();
    });
  }

  status(): MeshStatus {
    return this.#status;
  }

  onStatus(listener: (status: MeshStatus) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Resolves when the networks are as the last change wants them, or a problem says why not. */
  async settled(): Promise<void> {
    await this.#last.catch(() => {});
    await this.#upkeep.idle();
  }

  async close({ keep = false }: { readonly keep?: boolean } = {}): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    await this.#upkeep.close();
    await this.#last.catch(() => {});
    this.#ports.close();
    this.#overlay.close();
    if (keep) return;
    await this.#balancer.remove();
    await this.#overlay.remove(new AbortController().signal);
  }

  #portsDiffer(id: ServiceId): boolean {
    const published = (this.#index.services.get(id)?.ports ?? [])
      .filter(({ mode }) => mode === 'ingress')
      .map((port) => `${port.protocol} ${port.published}`);
    const known = (this.#rules.get(id)?.ports ?? []).map(({ protocol, port }) => `${protocol} ${port}`);
    return published.toSorted().join() !== known.toSorted().join();
  }

  /** @returns whether its virtual addresses are others now */
  #decide(id: ServiceId): boolean {
    const service = this.#index.services.get(id);
    const before = this.#rules.get(id);
    if (service === undefined) this.#rules.delete(id);
    else {
      const granted = this.#ports.grant(service);
      this.#rules.set(
        id,
        serviceRules(granted, this.#index.endpointsOf(id), { ingress: this.#index.ingress }),
      );
    }
    return vipsOf(before) !== vipsOf(this.#rules.get(id));
  }

  /** Rules that the kernel refused are tried again with the upkeep. */
  async #program(): Promise<void> {
    try {
      await this.#balancer.program(this.#ruleset());
      this.#rulesProblem = undefined;
    } catch (error) {
      const message = `the kernel refused the rules of services: ${error instanceof Error ? error.message : error}`;
      this.#rulesProblem = { subject: { kind: 'node' }, code: 'rules-refused', message };
      throw error;
    } finally {
      this.#tell();
    }
  }

  #ruleset(): Ruleset {
    const { networks, clients } = this.#index;
    return {
      table: tableName(this.#node.id),
      place: 'node',
      bridges: [...networks.values()].map(({ id, isInternal }) => ({ bridge: bridgeName(id), isInternal })),
      localAddresses: [...clients.values()]
        .flatMap(({ attachments }) => attachments.flatMap(({ addresses }) => addresses))
        .flatMap((address) => {
          const family = familyOf(address);
          return family === undefined ? [] : [{ address, family }];
        }),
      ...(this.#sharesMachine && { publishAddress: this.#node.address }),
      services: new Map(this.#rules),
    };
  }

  async #keepUp(signal: AbortSignal): Promise<void> {
    await this.#inTurn(async () => {
      for (const id of await this.#ports.take(this.#index.services.values())) this.#decide(id);
      await this.#program();
      await this.#balancer.verify();
    }).catch(() => {});
    signal.throwIfAborted();
    try {
      const { problems } = await this.#overlay.reconcile(this.#wantedNetworks(), signal);
      this.#networkProblems = problems;
    } catch (error) {
      signal.throwIfAborted();
      const message = `the networks of this node can't be looked after: ${error instanceof Error ? error.message : error}`;
      this.#networkProblems = [{ subject: { kind: 'node' }, code: 'network-failed', message }];
    }
    this.#tell();
  }

  #wantedNetworks(): readonly WantedNetwork[] {
    const vips = new Map<NetworkId, string[]>();
    for (const { vips: each } of this.#index.services.values()) {
      for (const { networkId, addresses } of each) {
        const known = vips.get(networkId);
        if (known) known.push(...addresses);
        else vips.set(networkId, [...addresses]);
      }
    }
    return [...this.#index.networks.values()].map((network) => ({
      network,
      vips: vips.get(network.id) ?? [],
    }));
  }

  #tell(): void {
    const problems = [
      ...(this.#rulesProblem === undefined ? [] : [this.#rulesProblem]),
      ...this.#ports.problems,
      ...this.#networkProblems,
      ...[...this.#index.services.values()].flatMap(beyondKernel),
    ];
    if (JSON.stringify(problems) === JSON.stringify(this.#status.problems)) return;
    this.#status = { problems };
    for (const listener of this.#listeners) listener(this.#status);
  }

  #inTurn(work: () => Promise<void>): Promise<void> {
    const turn = this.#last.catch(() => {}).then(work);
    this.#last = turn;
    return turn;
  }
}

/** What a service asks for that only somebody who reads its connections can do. */
function beyondKernel({ id, name, ports, stickiness }: MeshService): readonly MeshProblem[] {
  const problem = (what: string): MeshProblem => ({
    subject: { kind: 'service', id },
    code: 'not-in-kernel',
    message: `service ${name} asks for ${what}, which the kernel can't do: use the data plane in userspace for it`,
  });
  return [
    ...(ports.some(({ mode, proxyProtocol }) => mode === 'ingress' && proxyProtocol !== undefined)
      ? [problem('the PROXY protocol')]
      : []),
    ...(stickiness === 'cookie' ? [problem('clients to be told apart by a cookie')] : []),
  ];
}

function vipsOf(rules: ServiceRules | undefined): string {
  return (rules?.vips ?? []).map(({ address }) => address).join();
}
