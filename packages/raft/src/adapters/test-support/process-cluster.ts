/**
 * Members of one cluster, each a process with a directory of its own, talking over mutual TLS on loopback: started,
 * stopped, killed with SIGKILL and brought back. The processes are those of `member-process.ts`.
 */

import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { configurationOf } from '../../core/membership.ts';
import { CalledProcess, ProcessGoneError } from './called-process.ts';
import { TestAuthority } from './certificates.ts';
import type { FromMember, MemberConfig, MemberStatus, ToMember } from './member-process.ts';

/** What the processes are made of. */
export interface ProcessClusterOptions {
  readonly ids: readonly string[];
  /** The program of a member; it calls `serveMember`. */
  readonly program: URL;
  /** Where the members' directories are made. Default: the system's. */
  readonly directory?: string;
  readonly options?: MemberConfig['options'];
  /** Flags of Node for the members. */
  readonly nodeFlags?: readonly string[];
}

/** One life of a member. */
export class MemberProcess extends CalledProcess<FromMember> {
  readonly #onChange: () => void;
  #address: string | undefined;
  #status: MemberStatus | undefined;

  constructor(id: string, program: URL, nodeFlags: readonly string[], onChange: () => void) {
    super(id, program, ['--conditions=@skep/source', '--import=tsx', ...nodeFlags]);
    this.#onChange = onChange;
  }

  /** As it was told last. */
  get status(): MemberStatus | undefined {
    return this.isGone ? undefined : this.#status;
  }

  get address(): string | undefined {
    return this.#address;
  }

  override send(message: ToMember): void {
    super.send(message);
  }

  protected override told(message: FromMember): void {
    if (message.kind === 'listening') this.#address = message.address;
    else this.#status = message.status;
  }

  protected override changed(): void {
    this.#onChange();
  }
}

/** The processes of one cluster. */
export class ProcessCluster {
  readonly members = new Map<string, MemberProcess>();
  readonly authority = new TestAuthority();
  readonly #options: ProcessClusterOptions;
  readonly #directory: string;
  readonly #key = randomBytes(32);
  readonly #ports = new Map<string, number>();
  readonly #watchers = new Set<() => void>();

  private constructor(options: ProcessClusterOptions, directory: string) {
    this.#options = options;
    this.#directory = directory;
  }

  /** Starts all, and resolves when one of them serves. */
  static async start(options: ProcessClusterOptions): Promise<ProcessCluster> {
    const directory = await mkdtemp(path.join(options.directory ?? tmpdir(), 'skep-raft-processes-'));
    const cluster = new ProcessCluster(options, directory);
    const { ids } = options;
    const members = await Promise.all(ids.map((id) => cluster.#spawn(id)));
    const addresses = Object.fromEntries(members.map(({ id, address = '' }) => [id, address]));
    const bootstrap = configurationOf(ids, [], addresses);
    for (const member of members) member.send({ kind: 'start', bootstrap });
    await cluster.serving();
    return cluster;
  }

  member(id: string): MemberProcess {
    const member = this.members.get(id);
    if (member === undefined) throw new Error(`${id} was never started`);
    return member;
  }

  /** The member of the newest term that has said that it serves. */
  get leader(): MemberProcess | undefined {
    return [...this.members.values()]
      .filter(({ status }) => status?.isServing)
      .sort((a, b) => (b.status?.term ?? 0) - (a.status?.term ?? 0))[0];
  }

  get followers(): MemberProcess[] {
    const { leader } = this;
    return [...this.members.values()].filter((member) => member !== leader && !member.isGone);
  }

  /** Waits until it holds; looked at whenever a process tells something or ends. */
  async until<T>(holds: () => T | undefined | false): Promise<T> {
    for (;;) {
      const found = holds();
      if (found !== undefined && found !== false) return found;
      await new Promise<void>((resolve) => {
        const watcher = () => {
          this.#watchers.delete(watcher);
          resolve();
        };
        this.#watchers.add(watcher);
      });
    }
  }

  /** The member that serves, once there is one besides those named. */
  serving(...besides: readonly string[]): Promise<MemberProcess> {
    return this.until(() => {
      const { leader } = this;
      return leader !== undefined && !besides.includes(leader.id) && leader;
    });
  }

  /** Brings a member back on its directory, by default at its old port; or a new one that nobody knows yet. */
  async start(id: string, options: { readonly port?: number } = {}): Promise<MemberProcess> {
    const member = await this.#spawn(id, options.port);
    member.send({ kind: 'start' });
    await this.until(() => member.status?.state === 'running');
    return member;
  }

  /** Ends a member's process as a loss of its machine would, but for the page cache. */
  async kill(id: string): Promise<void> {
    const member = this.member(id);
    member.signal('SIGKILL');
    await member.exited;
  }

  directoryOf(id: string): string {
    return path.join(this.#directory, id);
  }

  get key(): Uint8Array {
    return this.#key;
  }

  async close(): Promise<void> {
    for (const member of this.members.values()) member.signal('SIGKILL');
    await Promise.all([...this.members.values()].map(({ exited }) => exited));
    await rm(this.#directory, { recursive: true, force: true });
  }

  async #spawn(id: string, port = this.#ports.get(id) ?? 0): Promise<MemberProcess> {
    const { program, options = {}, nodeFlags = [] } = this.#options;
    const member = new MemberProcess(id, program, nodeFlags, () => {
      for (const watcher of [...this.#watchers]) watcher();
    });
    this.members.set(id, member);
    const identity = this.authority.identityOf(id);
    const config = { id, directory: this.directoryOf(id), port, identity, key: this.#key, options };
    member.send({ kind: 'config', config });
    const address = await this.until(() => member.address ?? (member.isGone && ''));
    if (address === '') throw new ProcessGoneError(`${id} has ended while it started`);
    this.#ports.set(id, Number(address.slice(address.lastIndexOf(':') + 1)));
    return member;
  }
}
