/**
 * Pure: all rules of a node as one transaction for `nft -f -`, and what differs between two of them as another. The kernel
 * takes a transaction as a whole or not at all, so connections never meet half of one.
 *
 * A connection is looked up by its address in a map of virtual addresses, or by its port in a map of published ports,
 * and goes on in the chain of its service, which sends it to a task (destination NAT). Looking up costs the same for one
 * service as for thousands.
 */

import { type Family, familyOf, ipv6Digits } from './address-text.ts';
import { ENCRYPTED_VXLAN_PORT, VXLAN_PREFIX, WIREGUARD_PREFIX } from './names.ts';
import { REFUSE_CHAIN, type ServiceRules } from './service-rules.ts';

/** A network's bridge on the node. */
export interface BridgeRules {
  readonly bridge: string;
  /** Nothing goes from there to what is outside, nor the other way round. */
  readonly isInternal: boolean;
}

/** All that is in a node's table. */
export interface Ruleset {
  readonly table: string;
  /** Where connections begin that are balanced: anywhere on the node, or in the one client whose namespace it is. */
  readonly place: 'node' | 'client';
  readonly bridges: readonly BridgeRules[];
  /** Addresses of tasks on this node: one of them that calls its own service may get itself for an answer. */
  readonly localAddresses: readonly { readonly address: string; readonly family: Family }[];
  /** The one address of the machine that published ports answer at. Absent: all of them. */
  readonly publishAddress?: string;
  readonly services: ReadonlyMap<string, ServiceRules>;
}

type Elements = ReadonlyMap<string, readonly string[]>;

/**
 * The transaction that makes a node's rules these ones, whatever was there.
 *
 * Priorities are 5 before those of Docker's rules, so that a virtual address has become a task's one by then.
 */
export function completeTransaction(ruleset: Ruleset): string {
  const { table } = ruleset;
  const families = ruleset.place === 'node' ? ['inet', 'bridge'] : ['inet'];
  const lines = families.flatMap((family) => [
    `add table ${family} ${table}`,
    `delete table ${family} ${table}`,
  ]);
  const services = [...ruleset.services.values()];
  lines.push(`table inet ${table} {`, ...SETS, REFUSE, ...services.flatMap(chainsOf));
  lines.push(...(ruleset.place === 'node' ? nodeChains(ruleset) : CLIENT_CHAINS), '}');
  if (ruleset.place === 'node') lines.push(`table bridge ${table} {`, ...BRIDGE_PART, '}');
  for (const [set, elements] of elementsOf(ruleset)) lines.push(...change('add', set, table, elements));
  return `${lines.join('\n')}\n`;
}

/** The transaction that makes the rules of `before` those of `after`. Empty: nothing differs. */
export function changeTransaction(before: Ruleset, after: Ruleset): string {
  const { table } = after;
  const lines: string[] = [];
  const removedChains: string[] = [];
  const previous = elementsOf(before, after.services);
  const next = elementsOf(after, before.services);
  for (const [id, rules] of after.services) {
    const old = before.services.get(id);
    if (old === rules) continue;
    for (const { name, rules: each } of rules.chains) {
      const known = old?.chains.find((chain) => chain.name === name);
      if (known !== undefined && sameList(known.rules, each)) continue;
      // One that another service had may be there already.
      lines.push(`add chain inet ${table} ${name}`, `flush chain inet ${table} ${name}`);
      lines.push(...each.map((rule) => `add rule inet ${table} ${name} ${rule}`));
    }
  }
  for (const [id, rules] of before.services) {
    const now = after.services.get(id);
    if (now === rules) continue;
    const kept = new Set(now?.chains.map(({ name }) => name));
    removedChains.push(...rules.chains.map(({ name }) => name).filter((name) => !kept.has(name)));
  }
  for (const [set, old] of previous) {
    const kept = new Set(next.get(set));
    lines.push(
      ...change(
        'delete',
        set,
        table,
        old.filter((element) => !kept.has(element)),
      ),
    );
  }
  for (const [set, elements] of next) {
    const known = new Set(previous.get(set));
    lines.push(
      ...change(
        'add',
        set,
        table,
        elements.filter((element) => !known.has(element)),
      ),
    );
  }
  // A port that went from one service to another keeps its chain.
  const taken = new Set(
    removedChains.length === 0
      ? []
      : [...after.services.values()].flatMap(({ chains }) => chains.map((c) => c.name)),
  );
  for (const name of removedChains) {
    if (!taken.has(name))
      lines.push(`flush chain inet ${table} ${name}`, `delete chain inet ${table} ${name}`);
  }
  return lines.length === 0 ? '' : `${lines.join('\n')}\n`;
}

/** The names of all chains that are particular to services, to compare with what the kernel has. */
export function serviceChains({ services }: Ruleset): ReadonlySet<string> {
  return new Set([...services.values()].flatMap(({ chains }) => chains.map(({ name }) => name)));
}

const SETS = [
  'map vips4 { type ipv4_addr : verdict; }',
  'map vips6 { type ipv6_addr : verdict; }',
  'map ports { type inet_proto . inet_service : verdict; }',
  ...(['tcp', 'udp', 'sctp'] as const).map((protocol) => `set ports_${protocol} { type inet_service; }`),
  'set bridges { type ifname; }',
  'set internal { type ifname; }',
  'set inside { type ifname . ifname; }',
  'set local4 { type ipv4_addr . ipv4_addr; }',
  'set local6 { type ipv6_addr . ipv6_addr; }',
];

/** Answered at once, as a machine does that has nothing at the port: nobody waits for a time-out. */
const REFUSE = `chain ${REFUSE_CHAIN} { meta l4proto tcp reject with tcp reset; reject with icmpx port-unreachable; }`;

const BALANCE = ['ip daddr vmap @vips4', 'ip6 daddr vmap @vips6'];

/** A client that got itself would answer itself past the translation: it is to see the node as the caller. */
const HAIRPIN = [
  'ip saddr . ip daddr @local4 ct status dnat masquerade',
  'ip6 saddr . ip6 daddr @local6 ct status dnat masquerade',
];

function nodeChains({ publishAddress }: Ruleset): readonly string[] {
  const family = publishAddress === undefined ? undefined : familyOf(publishAddress);
  const isPublished =
    family === undefined ? 'fib daddr type local' : `${family === 4 ? 'ip' : 'ip6'} daddr ${publishAddress}`;
  return [
    'chain balance {',
    ...BALANCE,
    `${isPublished} meta l4proto { tcp, udp, sctp } meta l4proto . th dport vmap @ports`,
    '}',
    ...NODE_CHAINS,
  ];
}

const NODE_CHAINS = [
  'chain prerouting { type nat hook prerouting priority dstnat - 5; policy accept; jump balance; }',
  'chain output { type nat hook output priority -105; policy accept; jump balance; }',
  'chain postrouting { type nat hook postrouting priority srcnat - 5; policy accept;',
  ...HAIRPIN,
  // Within a network the task sees its caller; answers come back through this node's bridge.
  'iifname . oifname @inside accept',
  // From outside, answers have to come back to this node.
  ...['tcp', 'udp', 'sctp'].map(
    (protocol) =>
      `ct status dnat meta l4proto ${protocol} ct original proto-dst @ports_${protocol} masquerade`,
  ),
  'fib saddr type local oifname @bridges ct status dnat masquerade',
  'iifname @bridges iifname != @internal oifname != @bridges masquerade',
  '}',
  // Published ports answer on 127.0.0.1, too, for which bridges route that range: nothing may come in that way.
  'chain loopback { type filter hook prerouting priority raw; policy accept;',
  'iifname @bridges ip daddr 127.0.0.0/8 drop',
  '}',
  'chain isolation { type filter hook forward priority filter - 5; policy accept;',
  'iifname @bridges oifname @bridges iifname . oifname != @inside ct status ! dnat drop',
  'iifname @internal oifname != @bridges ct state new drop',
  'oifname @internal iifname != @bridges ct state new drop',
  '}',
  // What is to be encrypted neither leaves nor comes in by any other way than the tunnel.
  'chain tunnel_in { type filter hook input priority filter - 5; policy accept;',
  `udp dport ${ENCRYPTED_VXLAN_PORT} iifname != "${WIREGUARD_PREFIX}*" drop`,
  '}',
  'chain tunnel_out { type filter hook output priority filter - 5; policy accept;',
  `udp dport ${ENCRYPTED_VXLAN_PORT} oifname != "${WIREGUARD_PREFIX}*" drop`,
  '}',
  // A virtual address leads out by the interface that it came in by: no client is to be told a shorter way.
  'chain redirects { type filter hook output priority filter; policy accept;',
  'oifname @bridges icmp type redirect drop',
  'oifname @bridges icmpv6 type nd-redirect drop',
  '}',
];

/** In a client's own namespace: connections are on their way to a task before they leave it. */
const CLIENT_CHAINS = ['chain output { type nat hook output priority -105; policy accept;', ...BALANCE, '}'];

/** Every node answers for virtual addresses on its own bridges, and hears nobody from other nodes ask for them. */
const BRIDGE_PART = [
  'set vips4 { type ipv4_addr; }',
  'set vips6 { typeof @th,64,128; }',
  'chain prerouting { type filter hook prerouting priority -300; policy accept;',
  `iifname "${VXLAN_PREFIX}*" arp operation request arp daddr ip @vips4 drop`,
  `iifname "${VXLAN_PREFIX}*" icmpv6 type nd-neighbor-solicit @th,64,128 @vips6 drop`,
  '}',
];

function chainsOf({ chains }: ServiceRules): readonly string[] {
  return chains.flatMap(({ name, rules }) => [`chain ${name} {`, ...rules, '}']);
}

/**
 * What each map and set holds. The first word of a key is the family of its table.
 *
 * @param same - rules of services that are the same there are left out: they make no difference
 */
function elementsOf(ruleset: Ruleset, same?: ReadonlyMap<string, ServiceRules>): Elements {
  const elements = new Map<string, string[]>();
  const put = (set: string, element: string) => {
    const known = elements.get(set);
    if (known) known.push(element);
    else elements.set(set, [element]);
  };
  const isNode = ruleset.place === 'node';
  for (const [id, rules] of ruleset.services) {
    if (same !== undefined && same.get(id) === rules) continue;
    for (const { address, family, chain } of rules.vips) {
      put(`inet vips${family}`, `${address} : goto ${chain}`);
      if (isNode) put(`bridge vips${family}`, family === 4 ? address : ipv6Digits(address));
    }
    for (const { protocol, port, chain } of rules.ports) {
      put('inet ports', `${protocol} . ${port} : goto ${chain}`);
      put(`inet ports_${protocol}`, String(port));
    }
  }
  for (const { bridge, isInternal } of ruleset.bridges) {
    put('inet bridges', `"${bridge}"`);
    put('inet inside', `"${bridge}" . "${bridge}"`);
    if (isInternal) put('inet internal', `"${bridge}"`);
  }
  for (const { address, family } of ruleset.localAddresses)
    put(`inet local${family}`, `${address} . ${address}`);
  return elements;
}

function change(verb: 'add' | 'delete', set: string, table: string, elements: readonly string[]): string[] {
  if (elements.length === 0) return [];
  const [family, name] = set.split(' ');
  return [`${verb} element ${family} ${table} ${name} { ${elements.join(', ')} }`];
}

function sameList(one: readonly string[], other: readonly string[]): boolean {
  return one.length === other.length && one.every((item, index) => item === other[index]);
}
