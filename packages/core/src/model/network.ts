/** What a network should be, and what it was given. */

import * as z from 'zod';
import {
  containsAddress,
  containsSubnet,
  formatAddress,
  overlaps,
  parseAddress,
  parseSubnet,
  type Subnet,
  subnetSize,
} from './address.ts';
import { dnsName, labels } from './names.ts';

/** Drivers whose networks are each node's own affair: no addresses of theirs are given by the cluster. */
const NODE_LOCAL_DRIVERS: readonly string[] = ['bridge', 'host', 'ipvlan', 'macvlan', 'none', 'null'];

/** Docker's names of the options that mean something to Skep. */
const ENCRYPTED = 'encrypted';
const MTU = 'com.docker.network.driver.mtu';

/** Smallest MTU: IPv4 asks for 576 (RFC 791), IPv6 for 1280 (RFC 8200). */
const MTU_MIN = { 4: 576, 6: 1_280 } as const;
const MTU_MAX = 65_535;

/** Shortest and longest prefix of a subnet that addresses are given from: it must hold a gateway and a task. */
const PREFIXES = { 4: [8, 29], 6: [32, 120] } as const;

const subnetSpec = z.strictObject({
  /** `10.1.0.0/24`. */
  subnet: z.string(),
  /** The part of it that addresses are given from. Default: all of it. */
  range: z.string().optional(),
  /** Kept out of what is given. Default: the first address. */
  gateway: z.string().optional(),
});

/** Schema of {@link NetworkSpec}. */
export const networkSpecSchema = z
  .strictObject({
    name: dnsName,
    labels: labels.default({}),
    driver: z.string().min(1).default('overlay'),
    /** In Docker's words: `encrypted`, `com.docker.network.driver.mtu`, and what other drivers take. */
    options: z.record(z.string(), z.string()).default({}),
    /** Containers that are no tasks may be attached, too. */
    attachable: z.boolean().default(false),
    /** Nothing in it reaches what is outside, nor the other way round. */
    internal: z.boolean().default(false),
    /** The one network that published ports come in by. */
    ingress: z.boolean().default(false),
    /** Addresses of that family, too; from the cluster's pools, where no subnet says which. */
    ipv6: z.boolean().default(false),
    /** At most one of each family. Default: one from the cluster's pools. */
    subnets: z.array(subnetSpec).default([]),
  })
  .refine(({ ingress, attachable }) => !(ingress && attachable), {
    path: ['attachable'],
    error: 'must be false for the ingress network',
  })
  .superRefine((spec, context) => {
    const note = (path: readonly (string | number)[], message: string) =>
      context.addIssue({ code: 'custom', path: [...path], message });
    const families = spec.subnets.map((subnet, index) => checkSubnet(subnet, index, note));
    families.forEach((family, index) => {
      if (family === undefined) return;
      if (families.indexOf(family) < index)
        note(['subnets', index, 'subnet'], `must be the only one of IPv${family}`);
      if (family === 6 && !spec.ipv6) note(['ipv6'], 'must be true where a subnet is of IPv6');
    });
    checkOptions(spec, note);
  });

/** What a network should be. */
export type NetworkSpec = z.output<typeof networkSpecSchema>;
/** A network spec as people write it. */
export type NetworkSpecInput = z.input<typeof networkSpecSchema>;

/** A subnet of a network, with everything that the allocator decided. */
export interface NetworkSubnet {
  /** `10.0.1.0/24`. */
  readonly subnet: string;
  /** The part of it that addresses are given from. Absent: all of it. */
  readonly range?: string;
  /** An address that nobody else gets. */
  readonly gateway: string;
}

/** What the allocator gave a network. */
export interface NetworkAllocation {
  /** IPv4 first. */
  readonly subnets: readonly NetworkSubnet[];
  /** Tells it from the other networks on the wire (VXLAN, RFC 7348). */
  readonly vni: number;
}

/** True for a network that spans nodes: the allocator gives it subnets, and addresses in them. */
export function isClusterWide({ driver }: Pick<NetworkSpec, 'driver'>): boolean {
  return !NODE_LOCAL_DRIVERS.includes(driver);
}

/** True for a network whose traffic between nodes nobody else may read. */
export function isEncrypted({ options }: Pick<NetworkSpec, 'options'>): boolean {
  const { [ENCRYPTED]: given } = options;
  return given !== undefined && given !== 'false';
}

/** Largest packet of the network, in bytes, where its spec says so. */
export function mtuOf({ options }: Pick<NetworkSpec, 'options'>): number | undefined {
  const { [MTU]: given } = options;
  return given === undefined ? undefined : Number(given);
}

type Note = (path: readonly (string | number)[], message: string) => void;

/** @returns its family, where it can be read. */
function checkSubnet(
  spec: z.output<typeof subnetSpec>,
  index: number,
  note: Note,
): Subnet['family'] | undefined {
  const at = (field: string) => ['subnets', index, field];
  const subnet = parseSubnet(spec.subnet);
  if (!subnet) {
    note(at('subnet'), `'${spec.subnet}' must be a subnet such as 10.1.0.0/24, by its lowest address`);
    return undefined;
  }
  const [shortest, longest] = PREFIXES[subnet.family];
  if (subnet.prefix < shortest || subnet.prefix > longest)
    note(at('subnet'), `must have a prefix from /${shortest} to /${longest} in IPv${subnet.family}`);
  const range = spec.range === undefined ? undefined : parseSubnet(spec.range);
  if (spec.range !== undefined && !range)
    note(at('range'), `'${spec.range}' must be a subnet such as 10.1.0.0/25`);
  else if (range && !containsSubnet(subnet, range))
    note(at('range'), `'${spec.range}' must lie in the subnet ${spec.subnet}`);
  const gateway = spec.gateway === undefined ? undefined : parseAddress(spec.gateway);
  if (spec.gateway !== undefined && !gateway)
    note(at('gateway'), `'${spec.gateway}' must be an address such as 10.1.0.1`);
  else if (gateway && !isUsable(gateway.value, subnet, containsAddress(subnet, gateway)))
    note(at('gateway'), `'${spec.gateway}' must be an address of a host in the subnet ${spec.subnet}`);
  return subnet.family;
}

function isUsable(value: bigint, subnet: Subnet, isInside: boolean): boolean {
  const last = subnet.first + subnetSize(subnet) - 1n;
  return isInside && value !== subnet.first && (subnet.family === 6 || value !== last);
}

function checkOptions({ options, ipv6 }: Pick<NetworkSpec, 'options' | 'ipv6'>, note: Note): void {
  const { [ENCRYPTED]: encrypted, [MTU]: mtu } = options;
  if (encrypted !== undefined && !['', 'true', 'false'].includes(encrypted))
    note(['options', ENCRYPTED], "must be empty, 'true' or 'false'");
  const least = MTU_MIN[ipv6 ? 6 : 4];
  if (mtu === undefined || (/^\d+$/.test(mtu) && Number(mtu) >= least && Number(mtu) <= MTU_MAX)) return;
  note(['options', MTU], `must be a whole number from ${least} to ${MTU_MAX}`);
}

/** The first subnet's text of each family, canonical: as state and messages have it. */
export function subnetOf(
  text: string,
  gateway: string | undefined,
  range: string | undefined,
): NetworkSubnet {
  const subnet = parseSubnet(text);
  const first = subnet && formatAddress({ family: subnet.family, value: subnet.first + 1n });
  return {
    subnet: text,
    ...(range === undefined ? {} : { range }),
    gateway: gateway ?? first ?? text,
  };
}

/** Whether two subnets have an address in common. Such as can't be read have none. */
export function subnetsOverlap(a: string, b: string): boolean {
  const [one, other] = [parseSubnet(a), parseSubnet(b)];
  return one !== undefined && other !== undefined && overlaps(one, other);
}
