/**
 * Pure: the steps from what devices there are to what there should be, each a line for `ip -batch` or `bridge -batch`.
 * Only what differs is touched, so that a restart of the agent is not felt.
 */

import { familyOf } from '../kernel/address-text.ts';
import { EVERYBODY, type ListedDevice } from './device-listing.ts';
import type { NetworkPlan, VxlanPlan } from './network-plan.ts';

/** The number that routes of virtual addresses carry, so that they are found again (`/etc/iproute2/rt_protos`). */
export const VIP_ROUTES = 83;

/** Brings the bridge of a network about. @param mark - its second name for this node */
export function bridgeSteps(plan: NetworkPlan, mark: string, found: ListedDevice | undefined): string[] {
  const { bridge, mtu, addresses } = plan;
  const steps: string[] = [];
  if (found === undefined) {
    // So that answers that stay within the bridge are translated back.
    steps.push(
      `link add name ${bridge} mtu ${mtu} type bridge nf_call_iptables 1 nf_call_ip6tables 1 mcast_snooping 0`,
    );
  }
  if (found !== undefined && found.mtu !== mtu) steps.push(`link set dev ${bridge} mtu ${mtu}`);
  if (found?.altnames?.includes(mark) !== true) steps.push(`link property add dev ${bridge} altname ${mark}`);
  if (found?.flags.includes('UP') !== true) steps.push(`link set dev ${bridge} up`);
  const present = new Set(found?.addr_info.map(({ local, prefixlen }) => `${local}/${prefixlen}`));
  for (const address of addresses) {
    if (present.has(address)) continue;
    const isIPv6 = familyOf(address.split('/')[0] ?? '') === 6;
    steps.push(`address add ${address} dev ${bridge}${isIPv6 ? ' nodad' : ''}`);
  }
  return steps;
}

/** Brings the device to the other nodes about. */
export function vxlanSteps(plan: NetworkPlan, vxlan: VxlanPlan, found: ListedDevice | undefined): string[] {
  const { name, vni, port, local } = vxlan;
  const steps: string[] = [];
  const data = found?.linkinfo?.info_data;
  const isRight = data?.id === vni && data.port === port && (data.local ?? data.local6) === local;
  if (found !== undefined && !isRight) steps.push(`link delete dev ${name}`);
  const kept = isRight ? found : undefined;
  if (kept === undefined)
    steps.push(`link add name ${name} mtu ${plan.mtu} type vxlan id ${vni} dstport ${port} local ${local}`);
  if (kept !== undefined && kept.mtu !== plan.mtu) steps.push(`link set dev ${name} mtu ${plan.mtu}`);
  if (kept?.master !== plan.bridge) steps.push(`link set dev ${name} master ${plan.bridge}`);
  if (kept?.flags.includes('UP') !== true) steps.push(`link set dev ${name} up`);
  return steps;
}

/** Keeps the ways to other nodes in step with who there is; lines for `bridge -batch`. */
export function peerSteps({ name, peers }: VxlanPlan, found: readonly string[]): readonly string[] {
  const [wanted, present] = [new Set(peers), new Set(found)];
  return [
    ...peers
      .filter((peer) => !present.has(peer))
      .map((peer) => `fdb append ${EVERYBODY} dev ${name} dst ${peer}`),
    ...found
      .filter((peer) => !wanted.has(peer))
      .map((peer) => `fdb delete ${EVERYBODY} dev ${name} dst ${peer}`),
  ];
}

/** Virtual addresses that are answered for on a bridge. */
export interface FoundVips {
  readonly routes: readonly string[];
  readonly addresses: readonly string[];
}

/**
 * Lets the node answer for virtual addresses: of IPv4 by local routes, which calls of the node itself leave by its own
 * address; of IPv6 by addresses that nothing is sent from (deprecated, RFC 4862), since neighbours are told of no others.
 */
export function vipSteps({ bridge, vips, addresses }: NetworkPlan, found: FoundVips): readonly string[] {
  const steps: string[] = [];
  const source = addresses.map((each) => each.split('/')[0] ?? '').find((each) => familyOf(each) === 4);
  const [routes, own] = [new Set(found.routes), new Set(found.addresses)];
  const wanted = new Set(vips);
  for (const vip of vips) {
    if (familyOf(vip) === 4 && !routes.has(vip))
      steps.push(
        `route add local ${vip} dev ${bridge} table local proto ${VIP_ROUTES}${source === undefined ? '' : ` src ${source}`}`,
      );
    if (familyOf(vip) === 6 && !own.has(vip))
      steps.push(`address add ${vip}/128 dev ${bridge} nodad preferred_lft 0`);
  }
  for (const vip of routes)
    if (!wanted.has(vip))
      steps.push(`route delete local ${vip} dev ${bridge} table local proto ${VIP_ROUTES}`);
  for (const vip of own) if (!wanted.has(vip)) steps.push(`address delete ${vip}/128 dev ${bridge}`);
  return steps;
}
