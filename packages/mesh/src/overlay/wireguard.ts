/**
 * The tunnel that encrypted networks go through: one WireGuard device a node, the kernel's own or wireguard-go's.
 *
 * VXLAN of encrypted networks has a port of its own. A routing rule leads that port into the tunnel, and where the
 * tunnel knows no peer, nowhere; the node's packet filter drops it on every other device. So there is no moment at which
 * a packet of such a network could leave, or come in, in the clear.
 *
 * The private key is nowhere but in this process and in the device, which a later process gets it back from.
 */

import { familyOf } from '../kernel/address-text.ts';
import { CommandError, type RunCommand } from '../kernel/command.ts';
import { ENCRYPTED_VXLAN_PORT } from '../kernel/names.ts';
import { listRoutes } from './device-listing.ts';
import { type NodeKey, newNodeKey, nodeKeyOf } from './node-key.ts';

/** Where WireGuard listens, as everywhere. */
export const WIREGUARD_PORT = 51820;
/** The table of routes into the tunnel, and the rule that leads there: before the one of the main table (32766). */
const ROUTE_TABLE = 51820;
const RULE_PRIORITY = 5182;
/** What WireGuard puts around a packet, at most. */
const OVERHEAD = 80;

/** A node that encrypted packets go to. */
export interface TunnelPeer {
  readonly address: string;
  readonly publicKey: string;
}

/** The tunnel of a node. Its methods are called one after the other. */
export class WireGuard {
  readonly #run: RunCommand;
  readonly #device: string;
  readonly #port: number;
  readonly #key: NodeKey;
  /** Something of it may be there. */
  #isLeft: boolean;

  private constructor(run: RunCommand, device: string, port: number, found: NodeKey | undefined) {
    this.#run = run;
    this.#device = device;
    this.#port = port;
    this.#key = found ?? newNodeKey();
    this.#isLeft = found !== undefined;
  }

  /** Takes over the key of a device that an earlier process left. */
  static async open(run: RunCommand, device: string, port = WIREGUARD_PORT): Promise<WireGuard> {
    const left = await run('wg', ['show', device, 'private-key']).catch((error: unknown) => {
      if (error instanceof CommandError) return '';
      throw error;
    });
    return new WireGuard(run, device, port, nodeKeyOf(left.trim()));
  }

  /** What other nodes are told. */
  get publicKey(): string {
    return this.#key.publicKey;
  }

  /**
   * Has the device, with these peers, and the ways to them.
   *
   * @throws CommandError where there is neither the kernel's WireGuard nor wireguard-go, or the kernel refuses
   */
  async ensure(underlay: { readonly mtu: number; readonly address: string }, peers: readonly TunnelPeer[]) {
    const device = this.#device;
    this.#isLeft = true;
    const isThere = await this.#run('ip', ['-j', 'link', 'show', 'dev', device]).then(
      () => true,
      () => false,
    );
    if (!isThere) await this.#make();
    const config = [
      '[Interface]',
      `PrivateKey = ${this.#key.privateKey}`,
      `ListenPort = ${this.#port}`,
      ...peers.flatMap(({ address, publicKey }) => [
        '[Peer]',
        `PublicKey = ${publicKey}`,
        `AllowedIPs = ${address}/${familyOf(address) === 6 ? 128 : 32}`,
        `Endpoint = ${familyOf(address) === 6 ? `[${address}]` : address}:${this.#port}`,
      ]),
    ];
    // What a child's input is can't be opened by name; a pipe can.
    const syncconf = ['-c', 'cat | wg syncconf "$0" /dev/stdin', device];
    await this.#run('sh', syncconf, { input: `${config.join('\n')}\n` });
    await this.#run('ip', ['link', 'set', 'dev', device, 'mtu', String(underlay.mtu - OVERHEAD), 'up']);
    // Senders are looked for by routes that know no ports, which lead elsewhere: that has to do (RFC 3704, loose), and
    // does where the device has an address.
    if (familyOf(underlay.address) === 4)
      await this.#run('ip', ['address', 'replace', `${underlay.address}/32`, 'dev', device]);
    await this.#run('sysctl', ['-q', '-w', `net.ipv4.conf.${device}.rp_filter=2`]);
    await this.#route(familyOf(underlay.address) ?? 4, peers);
  }

  /** Removes all of it, if there is anything. */
  async remove(): Promise<void> {
    if (!this.#isLeft) return;
    this.#isLeft = false;
    const quietly = (args: readonly string[]) =>
      this.#run('ip', args).catch((error: unknown) => {
        if (!(error instanceof CommandError)) throw error;
      });
    for (const family of ['-4', '-6']) {
      await quietly([family, 'rule', 'delete', ...RULE]);
      await quietly([family, 'route', 'flush', 'table', String(ROUTE_TABLE)]);
    }
    await quietly(['link', 'delete', 'dev', this.#device]);
  }

  async #make(): Promise<void> {
    try {
      await this.#run('ip', ['link', 'add', 'dev', this.#device, 'type', 'wireguard']);
    } catch (error) {
      if (!(error instanceof CommandError)) throw error;
      // In a session of its own: it goes on when this process's terminal is closed.
      await this.#run('setsid', ['wireguard-go', this.#device]);
    }
  }

  async #route(family: 4 | 6, peers: readonly TunnelPeer[]): Promise<void> {
    const table = String(ROUTE_TABLE);
    const rules = await this.#run('ip', [
      `-${family}`,
      '-j',
      'rule',
      'show',
      'priority',
      String(RULE_PRIORITY),
    ]);
    const found = await listRoutes(this.#run, family, ['table', table]).catch(() => []);
    const wanted = new Set(peers.map(({ address }) => address));
    const steps = [`route replace unreachable default table ${table} metric 4278198272`];
    for (const address of wanted) steps.push(`route replace ${address} dev ${this.#device} table ${table}`);
    for (const { dst, type } of found)
      if (type !== 'unreachable' && !wanted.has(dst)) steps.push(`route delete ${dst} table ${table}`);
    if (!rules.includes(String(RULE_PRIORITY))) steps.push(`rule add ${RULE.join(' ')}`);
    await this.#run('ip', [`-${family}`, '-batch', '-'], { input: `${steps.join('\n')}\n` });
  }
}

const RULE = [
  'priority',
  String(RULE_PRIORITY),
  'ipproto',
  'udp',
  'dport',
  String(ENCRYPTED_VXLAN_PORT),
  'lookup',
  String(ROUTE_TABLE),
] as const;
