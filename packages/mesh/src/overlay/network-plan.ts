/** Pure: what a network needs on a node, or why it can't be had there. */

import type { NetworkId } from '@skep/core';
import type { MeshNetwork, MeshProblem } from '../data-plane.ts';
import { familyOf, prefixOf } from '../kernel/address-text.ts';
import { bridgeName, ENCRYPTED_VXLAN_PORT, VXLAN_PORT, vxlanName } from '../kernel/names.ts';

/** What VXLAN puts around a packet: Ethernet 14, VXLAN 8, UDP 8 and IP. */
const VXLAN_OVERHEAD = { 4: 50, 6: 70 } as const;
/** What WireGuard does: padding included, over either family. */
const WIREGUARD_OVERHEAD = 80;
/** Smallest that IPv4 asks for (RFC 791), and IPv6 (RFC 8200). */
const MTU_MIN = { 4: 576, 6: 1_280 } as const;

/** What is known of the node's way to others. */
export interface Underlay {
  readonly address: string;
  /** Largest packet of the device that has the address. */
  readonly mtu: number;
  /** All nodes are on this machine, so that a bridge is enough. */
  readonly isShared: boolean;
}

/** What is to be on the node. */
export interface NetworkPlan {
  readonly id: NetworkId;
  readonly bridge: string;
  readonly mtu: number;
  /** Of the bridge: `10.0.1.2/24`. */
  readonly addresses: readonly string[];
  /** Absent: the network does not leave the machine. */
  readonly vxlan?: VxlanPlan;
  /** Answered for on the bridge. */
  readonly vips: readonly string[];
}

/** The device that leads to the other nodes. */
export interface VxlanPlan {
  readonly name: string;
  readonly vni: number;
  readonly port: number;
  readonly local: string;
  /** Addresses of the other nodes. */
  readonly peers: readonly string[];
}

/** @param vips - the virtual addresses in the network */
export function planNetwork(
  network: MeshNetwork,
  vips: readonly string[],
  underlay: Underlay,
): NetworkPlan | MeshProblem {
  const { id, name, isEncrypted } = network;
  const problem = (code: string, message: string): MeshProblem => ({
    subject: { kind: 'network', id },
    code,
    message,
  });
  const addresses = bridgeAddresses(network);
  if (addresses.length === 0)
    return problem(
      'address-missing',
      `network ${name} has no address for this node yet: it is made as soon as there is one`,
    );
  const overhead = underlay.isShared ? 0 : overheadOf(underlay, isEncrypted);
  const room = underlay.mtu - overhead;
  const mtu = network.mtu ?? room;
  if (mtu > room)
    return problem(
      'mtu-too-small',
      `network ${name} asks for packets of ${mtu} bytes, but ${underlay.address} carries ${underlay.mtu}, of which ` +
        `the overlay takes ${overhead}: give the network an MTU of at most ${room}, or the node's device one of ` +
        `${mtu + overhead}`,
    );
  const least = Math.max(...addresses.map((each) => MTU_MIN[familyOf(each.split('/')[0] ?? '') ?? 4]));
  if (mtu < least)
    return problem(
      'mtu-too-small',
      `network ${name} would carry packets of ${mtu} bytes, and its addresses need ${least}: give the node's device ` +
        `an MTU of at least ${least + overhead}`,
    );
  return {
    id,
    bridge: bridgeName(id),
    mtu,
    addresses,
    vips,
    ...(!underlay.isShared && {
      vxlan: {
        name: vxlanName(id),
        vni: network.vni,
        port: isEncrypted ? ENCRYPTED_VXLAN_PORT : VXLAN_PORT,
        local: underlay.address,
        peers: network.peers
          .filter(({ publicKey }) => !isEncrypted || publicKey !== undefined)
          .map(({ address }) => address),
      },
    }),
  };
}

/** What stands for the network on this node, with the prefix of its subnet. */
export function bridgeAddresses({ addresses, subnets }: MeshNetwork): readonly string[] {
  return addresses.flatMap((address) => {
    const family = familyOf(address);
    const own = subnets.find(
      ({ subnet }) => family !== undefined && familyOf(subnet.split('/')[0] ?? '') === family,
    );
    const prefix = own && prefixOf(own.subnet);
    return prefix === undefined ? [] : [`${address}/${prefix}`];
  });
}

function overheadOf({ address }: Underlay, isEncrypted: boolean): number {
  return VXLAN_OVERHEAD[familyOf(address) ?? 4] + (isEncrypted ? WIREGUARD_OVERHEAD : 0);
}
