/**
 * The networks of a node: bridges, ways to the other nodes, encryption. What should be is compared with what the kernel
 * says there is, so it makes no difference who made it, or when. Whatever is made is marked for the node by a second name.
 */

import type { NetworkId, NodeId } from '@skep/core';
import type { DriverNetworks } from '@skep/core/driver';
import type { MeshNetwork, MeshNode, MeshProblem } from '../data-plane.ts';
import type { RunCommand } from '../kernel/command.ts';
import {
  BRIDGE_PREFIX,
  bridgeMark,
  bridgeName,
  markPrefix,
  VXLAN_PREFIX,
  WIREGUARD_PREFIX,
} from '../kernel/names.ts';
import { type ListedDevice, listDevices, listPeers, listRoutes } from './device-listing.ts';
import { bridgeSteps, peerSteps, VIP_ROUTES, vipSteps, vxlanSteps } from './device-steps.ts';
import { letIn, letInNoMore } from './docker-forwarding.ts';
import { bridgeAddresses, type NetworkPlan, planNetwork, type Underlay } from './network-plan.ts';
import { PortWatch, type WatchCommand } from './port-watch.ts';
import { subnetConflict } from './subnet-conflict.ts';
import type { WireGuard } from './wireguard.ts';

/** What an overlay works with. */
export interface OverlayParts {
  readonly run: RunCommand;
  readonly watch: WatchCommand;
  readonly node: MeshNode;
  /** Who runs the containers. Absent: nobody does. */
  readonly engine?: DriverNetworks | undefined;
  /** Absent: no network can be encrypted. */
  readonly wireGuard?: WireGuard | undefined;
  /** All nodes are on this machine. */
  readonly sharesMachine: boolean;
  /** Containers ask this node for names. */
  readonly hasResolver: boolean;
}

/** A network that is wanted, and the virtual addresses in it. */
export interface WantedNetwork {
  readonly network: MeshNetwork;
  readonly vips: readonly string[];
}

/** What has come of it. */
export interface OverlayOutcome {
  readonly problems: readonly MeshProblem[];
  /** Networks that are whole. */
  readonly made: ReadonlySet<NetworkId>;
}

/** What packets on a machine alone are as large as. */
const SHARED_MTU = 1_500;

/** The networks of one node. Its methods are called one after the other. */
export class Overlay {
  readonly #parts: OverlayParts;
  readonly #ports: PortWatch;

  constructor(parts: OverlayParts) {
    this.#parts = parts;
    this.#ports = new PortWatch(parts.run, parts.watch);
  }

  /** Brings these networks about and removes all others of this node. What can't be had is told, and nothing is left of it. */
  async reconcile(wanted: readonly WantedNetwork[], signal: AbortSignal): Promise<OverlayOutcome> {
    const devices = await listDevices(this.#parts.run);
    const problems: MeshProblem[] = [];
    const made = new Set<NetworkId>();
    problems.push(...(await this.#removeOthers(wanted, devices, signal)));
    await this.#ports.verify();
    if (!wanted.some(({ network }) => network.isEncrypted)) await this.#parts.wireGuard?.remove();
    if (wanted.length === 0) return { problems, made };
    const underlay = this.#underlay(devices);
    if ('code' in underlay) return { problems: [...problems, underlay], made };
    const tunnel = await this.#tunnel(wanted, underlay);
    for (const each of wanted) {
      const plan = each.network.isEncrypted
        ? (tunnel?.(each) ?? planOf(each, underlay))
        : planOf(each, underlay);
      const problem = 'code' in plan ? plan : await this.#ensure(each.network, plan, devices, signal);
      if (problem === undefined) made.add(each.network.id);
      else problems.push(problem);
    }
    return { problems, made };
  }

  /** Looks after it no more. What there is stays. */
  close(): void {
    this.#ports.close();
  }

  /** Removes everything of this node. */
  async remove(signal: AbortSignal): Promise<void> {
    await this.#removeOthers([], await listDevices(this.#parts.run), signal);
    await this.#parts.wireGuard?.remove();
  }

  #underlay(devices: ReadonlyMap<string, ListedDevice>): Underlay | MeshProblem {
    const { node, sharesMachine } = this.#parts;
    const { address } = node;
    if (sharesMachine) return { address, mtu: SHARED_MTU, isShared: true };
    const device = [...devices.values()].find(
      ({ ifname, addr_info }) =>
        !ifname.startsWith(WIREGUARD_PREFIX) && addr_info.some(({ local }) => local === address),
    );
    if (device !== undefined) return { address, mtu: device.mtu, isShared: false };
    return {
      subject: { kind: 'node' },
      code: 'address-missing',
      message: `no device of this machine has the address ${address}, under which the node is to be reached: give the node one that it has`,
    };
  }

  /** Has the tunnel where a network needs one. @returns why encrypted networks can't be had; undefined: they can */
  async #tunnel(
    wanted: readonly WantedNetwork[],
    underlay: Underlay,
  ): Promise<((each: WantedNetwork) => MeshProblem) | undefined> {
    const { wireGuard } = this.#parts;
    const encrypted = wanted.filter(({ network }) => network.isEncrypted);
    if (underlay.isShared || encrypted.length === 0) return undefined;
    const refuse =
      (why: string) =>
      ({ network }: WantedNetwork): MeshProblem => ({
        subject: { kind: 'network', id: network.id },
        code: 'encryption-missing',
        message: `network ${network.name} is to be encrypted, and ${why}: use a kernel with WireGuard, or install wireguard-go and wireguard-tools`,
      });
    if (wireGuard === undefined) return refuse("this node has no tool 'wg'");
    const peers = new Map(
      encrypted
        .flatMap(({ network }) => network.peers)
        .flatMap(({ address, publicKey }) =>
          publicKey === undefined ? [] : [[address, { address, publicKey }] as const],
        ),
    );
    try {
      await wireGuard.ensure(underlay, [...peers.values()]);
      return undefined;
    } catch (error) {
      return refuse(`there is no tunnel to the other nodes (${wordsOf(error)})`);
    }
  }

  async #ensure(
    network: MeshNetwork,
    plan: NetworkPlan,
    devices: ReadonlyMap<string, ListedDevice>,
    signal: AbortSignal,
  ): Promise<MeshProblem | undefined> {
    const { run, node, engine, sharesMachine } = this.#parts;
    const bridge = devices.get(plan.bridge);
    const problem = (code: string, message: string): MeshProblem => ({
      subject: { kind: 'network', id: network.id },
      code,
      message,
    });
    try {
      const conflict = bridge === undefined ? await this.#conflict(network, plan) : undefined;
      if (conflict !== undefined)
        return problem(
          'subnet-in-use',
          `network ${network.name} can't have ${conflict}: give it another subnet`,
        );
      const steps = bridgeSteps(plan, bridgeMark(node.id, network.id), bridge);
      const { vxlan } = plan;
      if (vxlan !== undefined) steps.push(...vxlanSteps(plan, vxlan, devices.get(vxlan.name)));
      await this.#batch('ip', steps);
      if (vxlan !== undefined)
        await this.#batch('bridge', peerSteps(vxlan, await listPeers(run, vxlan.name)));
      await this.#ensureVips(plan, devices.get(plan.bridge));
      if (bridge === undefined)
        await run('sysctl', ['-q', '-w', `net.ipv4.conf.${plan.bridge}.route_localnet=1`]);
      await engine?.ensure(this.#engineNetwork(network, plan), { signal });
      if (!network.isInternal) await letIn(run, plan.bridge);
      return undefined;
    } catch (error) {
      signal.throwIfAborted();
      // What was whole before stays; of what was begun just now nothing is left.
      if (bridge === undefined && !sharesMachine) await this.#removeDevices(plan.bridge, plan.vxlan?.name);
      return problem(
        'network-failed',
        `network ${network.name} could not be made on this node: ${wordsOf(error)}`,
      );
    }
  }

  #engineNetwork(network: MeshNetwork, { bridge, mtu }: NetworkPlan) {
    const { id, name, isInternal } = network;
    const gateways = bridgeAddresses(network).map((each) => each.split('/')[0] ?? '');
    const subnets = network.subnets.flatMap(({ subnet }, index) => {
      const gateway = gateways[index];
      return gateway === undefined ? [] : [{ subnet, gateway }];
    });
    return { id, name, bridge, mtu, subnets, isInternal, resolvers: this.#parts.hasResolver ? gateways : [] };
  }

  async #conflict(network: MeshNetwork, plan: NetworkPlan): Promise<string | undefined> {
    const { run, node } = this.#parts;
    const routes = [...(await listRoutes(run, 4)), ...(await listRoutes(run, 6))];
    const addresses = [node.address, ...network.peers.map(({ address }) => address)];
    for (const { subnet } of network.subnets) {
      const found = subnetConflict(subnet, plan.bridge, routes, addresses);
      if (found !== undefined) return `${subnet}, since ${found}`;
    }
    return undefined;
  }

  async #ensureVips(plan: NetworkPlan, found: ListedDevice | undefined): Promise<void> {
    const routes = await listRoutes(this.#parts.run, 4, [
      'table',
      'local',
      'proto',
      String(VIP_ROUTES),
      'dev',
      plan.bridge,
    ]);
    const addresses = (found?.addr_info ?? []).flatMap(({ family, local, prefixlen }) =>
      family === 'inet6' && prefixlen === 128 && local !== undefined ? [local] : [],
    );
    await this.#batch('ip', vipSteps(plan, { routes: routes.map(({ dst }) => dst), addresses }));
  }

  /** Removes networks that are not wanted, as soon as nobody is in them. */
  async #removeOthers(
    wanted: readonly WantedNetwork[],
    devices: ReadonlyMap<string, ListedDevice>,
    signal: AbortSignal,
  ): Promise<readonly MeshProblem[]> {
    const { engine, node, run } = this.#parts;
    const kept = new Set(wanted.map(({ network }) => bridgeName(network.id)));
    const left = ownBridges(devices, node.id).filter(({ name }) => !kept.has(name));
    if (left.length === 0) return [];
    let ids: ReadonlyMap<string, NetworkId> = new Map();
    try {
      ids = new Map(((await engine?.list({ signal })) ?? []).map((id) => [bridgeName(id), id]));
    } catch (error) {
      signal.throwIfAborted();
      const message = `networks that are not needed any more are still there, since the engine does not answer: ${wordsOf(error)}`;
      return [{ subject: { kind: 'node' }, code: 'engine-away', message }];
    }
    for (const { name, marks } of left) {
      const id = ids.get(name);
      if (
        id !== undefined &&
        engine !== undefined &&
        !(await engine.remove(id, { signal }).catch(() => false))
      )
        continue;
      const [own = '', ...others] = marks;
      if (others.length > 0) await this.#batch('ip', [`link property delete dev ${name} altname ${own}`]);
      else {
        await letInNoMore(run, name);
        await this.#removeDevices(name, `${VXLAN_PREFIX}${name.slice(BRIDGE_PREFIX.length)}`);
      }
    }
    return [];
  }

  async #removeDevices(...names: readonly (string | undefined)[]): Promise<void> {
    const devices = await listDevices(this.#parts.run);
    const there = names.filter((name) => name !== undefined && devices.has(name));
    await this.#batch(
      'ip',
      there.map((name) => `link delete dev ${name}`),
    );
  }

  async #batch(tool: 'ip' | 'bridge', steps: readonly string[]): Promise<void> {
    if (steps.length > 0) await this.#parts.run(tool, ['-batch', '-'], { input: `${steps.join('\n')}\n` });
  }
}

function planOf({ network, vips }: WantedNetwork, underlay: Underlay): NetworkPlan | MeshProblem {
  return planNetwork(network, vips, underlay);
}

/** Bridges that the node has marked; its own mark comes first. */
function ownBridges(devices: ReadonlyMap<string, ListedDevice>, nodeId: NodeId) {
  const prefix = markPrefix(nodeId);
  return [...devices.values()].flatMap(({ ifname, altnames = [] }) => {
    const own = altnames.find((name) => name.startsWith(prefix));
    if (own === undefined) return [];
    const others = altnames.filter((name) => name !== own && name.startsWith('skep-'));
    return [{ name: ifname, marks: [own, ...others] }];
  });
}

function wordsOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
