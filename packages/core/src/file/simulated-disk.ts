/**
 * A disk in memory that misbehaves as real ones do: a power cut keeps any part of what was not synced, a sync fails
 * and drops the pages, space runs out amid a write, bits rot. Everything is drawn from one seed, so a failure can be
 * run again. For tests of whatever is built on {@link Disk}.
 *
 * After Pillai et al., "All File Systems Are Not Created Equal" (OSDI 2014): writes may reach the disk in any order
 * and in part, by sector; names are as unsafe as data until their directory is synced.
 */

import type { Random } from '../runtime/random.ts';
import type { Disk, DiskFile, DiskLock } from './disk.ts';

const SECTOR_BYTES = 512;

type FileChange =
  | { readonly kind: 'write'; readonly offset: number; readonly bytes: Uint8Array }
  | { readonly kind: 'truncate'; readonly length: number };

type NameChange =
  | { readonly kind: 'link'; readonly path: string; readonly node: FileNode }
  | { readonly kind: 'unlink'; readonly path: string }
  | { readonly kind: 'rename'; readonly from: string; readonly to: string; readonly node: FileNode };

/** What a failed operation of a {@link SimulatedDisk} rejects with. */
export class SimulatedDiskError extends Error {
  override readonly name = 'SimulatedDiskError';
  readonly code: string;

  constructor(code: string, what: string) {
    super(`${code}: ${what}`);
    this.code = code;
  }
}

/** One file: what programs see, what is safe, and what lies between. */
class FileNode {
  current: Uint8Array = new Uint8Array(0);
  durable: Uint8Array = new Uint8Array(0);
  pending: FileChange[] = [];

  change(change: FileChange): void {
    this.current = applied(this.current, change);
    this.pending.push(change);
  }

  sync(): void {
    for (const change of this.pending) this.durable = applied(this.durable, change);
    this.pending = [];
  }

  /** A power cut: each sector of each write that was not synced reaches the disk, or part of it, or nothing. */
  crash(random: Random): void {
    const kept = random.next();
    for (const change of this.pending) {
      if (change.kind === 'truncate') {
        if (random.next() < 0.5) this.durable = applied(this.durable, change);
        continue;
      }
      for (const { offset, bytes } of sectors(change)) {
        if (random.next() >= kept) continue;
        const torn = random.next() < 0.05 ? Math.floor(random.next() * bytes.length) : bytes.length;
        this.durable = applied(this.durable, { kind: 'write', offset, bytes: bytes.subarray(0, torn) });
      }
    }
    this.pending = [];
    this.current = this.durable.slice();
  }
}

/** A disk for tests. Paths are taken as they are; directories need no making. */
export class SimulatedDisk implements Disk {
  /** The most bytes that all files may have together. */
  capacity = Number.POSITIVE_INFINITY;
  /** Syncs of data that were carried out. */
  syncs = 0;
  /** Operations so far, for {@link SimulatedDisk.cutPowerAfter}. */
  operations = 0;
  readonly #random: Random;
  readonly #locks = new Set<string>();
  #names = new Map<string, FileNode>();
  #durableNames = new Map<string, FileNode>();
  #pendingNames: NameChange[] = [];
  #boot = 0;
  #powerCutAt = Number.POSITIVE_INFINITY;
  #syncFailures: ((path: string) => boolean)[] = [];

  constructor(random: Random) {
    this.#random = random;
  }

  /** The power fails after this many more operations: from then on each rejects, until {@link SimulatedDisk.boot}. */
  cutPowerAfter(operations: number): void {
    this.#powerCutAt = this.operations + operations;
  }

  /** The machine loses its power: what was not synced is there in part or not at all after {@link SimulatedDisk.boot}. */
  crash(): void {
    const names = new Map(this.#durableNames);
    // Either the journal kept the order of names, or each change made it on its own.
    const cut =
      this.#random.next() < 0.5 ? Math.floor(this.#random.next() * (this.#pendingNames.length + 1)) : -1;
    for (const [index, change] of this.#pendingNames.entries()) {
      if (cut >= 0 ? index < cut : this.#random.next() < 0.5) rename(names, change);
    }
    this.#names = names;
    this.#durableNames = new Map(names);
    this.#pendingNames = [];
    for (const node of new Set(names.values())) node.crash(this.#random);
    this.kill();
  }

  /**
   * The process dies and the machine does not: all that was written stays readable, and unsynced. Until
   * {@link SimulatedDisk.boot} every operation rejects, so that a dead process can do nothing more.
   */
  kill(): void {
    this.#boot += 1;
    this.#powerCutAt = 0;
    this.#syncFailures = [];
    this.#locks.clear();
  }

  /** Starts again after a power cut, a crash or a kill. */
  boot(): void {
    this.#powerCutAt = Number.POSITIVE_INFINITY;
  }

  /**
   * The next sync of a file whose path matches fails once with `EIO`, and the kernel forgets what was to be written,
   * though programs still read it.
   */
  failNextSync(matches: (path: string) => boolean = () => true): void {
    this.#syncFailures.push(matches);
  }

  /** Paths of all files, sorted. */
  paths(): string[] {
    return [...this.#names.keys()].sort();
  }

  /** A file as programs see it. */
  contents(path: string): Uint8Array {
    return this.#node(path).current.slice();
  }

  /** Replaces a file, durably: how tests bring about damage. */
  replace(path: string, contents: Uint8Array): void {
    const node = this.#node(path);
    node.current = contents.slice();
    node.durable = contents.slice();
    node.pending = [];
  }

  /** Another disk with the same files, all of them safe. */
  clone(random: Random): SimulatedDisk {
    const clone = new SimulatedDisk(random);
    for (const [path, node] of this.#names) {
      const copy = new FileNode();
      copy.current = node.current.slice();
      copy.durable = node.current.slice();
      clone.#names.set(path, copy);
      clone.#durableNames.set(path, copy);
    }
    return clone;
  }

  async open(path: string, mode: 'create' | 'read' | 'update'): Promise<DiskFile> {
    await this.#step(`open ${path}`);
    if (mode === 'create') {
      if (this.#names.has(path)) throw new SimulatedDiskError('EEXIST', path);
      const node = new FileNode();
      this.#rename({ kind: 'link', path, node });
      return this.#handle(path, node);
    }
    return this.#handle(path, this.#node(path));
  }

  async list(directory: string): Promise<string[]> {
    await this.#step(`list ${directory}`);
    return this.paths()
      .filter((path) => directoryOf(path) === directory)
      .map((path) => path.slice(directory.length + 1));
  }

  async makeDirectory(directory: string): Promise<void> {
    await this.#step(`mkdir ${directory}`);
  }

  async rename(from: string, to: string): Promise<void> {
    await this.#step(`rename ${from}`);
    this.#rename({ kind: 'rename', from, to, node: this.#node(from) });
  }

  async unlink(path: string): Promise<void> {
    await this.#step(`unlink ${path}`);
    this.#node(path);
    this.#rename({ kind: 'unlink', path });
  }

  async syncDirectory(directory: string): Promise<void> {
    await this.#step(`sync ${directory}`);
    const isHere = (change: NameChange) =>
      directoryOf(change.kind === 'rename' ? change.to : change.path) === directory;
    for (const change of this.#pendingNames) if (isHere(change)) rename(this.#durableNames, change);
    this.#pendingNames = this.#pendingNames.filter((change) => !isHere(change));
  }

  async lock(path: string): Promise<DiskLock | undefined> {
    await this.#step(`lock ${path}`);
    if (this.#locks.has(path)) return undefined;
    this.#locks.add(path);
    const boot = this.#boot;
    return {
      release: async () => {
        if (boot === this.#boot) this.#locks.delete(path);
      },
    };
  }

  #handle(path: string, node: FileNode): DiskFile {
    const boot = this.#boot;
    const step = async (what: string) => {
      if (boot !== this.#boot) throw new SimulatedDiskError('EBADF', `${what} ${path}`);
      await this.#step(`${what} ${path}`);
    };
    return {
      read: async (into, offset) => {
        await step('read');
        const bytes = node.current.subarray(offset, offset + into.length);
        into.set(bytes);
        return bytes.length;
      },
      write: async (bytes, offset) => {
        if (boot !== this.#boot) throw new SimulatedDiskError('EBADF', `write ${path}`);
        const room = Math.max(0, node.current.length + this.capacity - this.#used() - offset);
        const length = Math.max(room, Math.min(bytes.length, node.current.length - offset));
        // A copy in any case, which `slice` of a Node buffer would not be: callers use theirs again.
        const fits = new Uint8Array(bytes.subarray(0, length));
        const change = { kind: 'write', offset, bytes: fits } as const;
        // What a power cut interrupts may be on the disk in part.
        if (this.#powered()) node.change(change);
        await step('write');
        if (fits.length < bytes.length) throw new SimulatedDiskError('ENOSPC', `write ${path}`);
      },
      truncate: async (length) => {
        await step('truncate');
        node.change({ kind: 'truncate', length });
      },
      datasync: async () => {
        await step('datasync');
        this.#sync(path, node);
      },
      sync: async () => {
        await step('sync');
        this.#sync(path, node);
      },
      size: async () => {
        await step('size');
        return node.current.length;
      },
      close: async () => {
        if (boot !== this.#boot) return;
        await Promise.resolve();
      },
    };
  }

  #sync(path: string, node: FileNode): void {
    const failure = this.#syncFailures.findIndex((matches) => matches(path));
    if (failure >= 0) {
      this.#syncFailures.splice(failure, 1);
      node.pending = [];
      throw new SimulatedDiskError('EIO', `sync ${path}`);
    }
    node.sync();
    this.syncs += 1;
  }

  async #step(what: string): Promise<void> {
    const boot = this.#boot;
    const powered = this.#powered();
    this.operations += 1;
    await Promise.resolve();
    if (boot !== this.#boot) throw new SimulatedDiskError('EBADF', what);
    if (!powered) throw new SimulatedDiskError('EIO', `${what}: the power is off`);
  }

  #powered(): boolean {
    return this.operations < this.#powerCutAt;
  }

  #rename(change: NameChange): void {
    rename(this.#names, change);
    this.#pendingNames.push(change);
  }

  #node(path: string): FileNode {
    const node = this.#names.get(path);
    if (!node) throw new SimulatedDiskError('ENOENT', path);
    return node;
  }

  #used(): number {
    let used = 0;
    for (const { current } of new Set(this.#names.values())) used += current.length;
    return used;
  }
}

function rename(names: Map<string, FileNode>, change: NameChange): void {
  if (change.kind === 'link') names.set(change.path, change.node);
  else if (change.kind === 'unlink') names.delete(change.path);
  else {
    names.delete(change.from);
    names.set(change.to, change.node);
  }
}

function applied(image: Uint8Array, change: FileChange): Uint8Array {
  const length =
    change.kind === 'truncate' ? change.length : Math.max(image.length, change.offset + change.bytes.length);
  let next = image;
  if (length !== image.length) {
    next = new Uint8Array(length);
    next.set(image.subarray(0, length));
  }
  if (change.kind === 'write') next.set(change.bytes, change.offset);
  return next;
}

function* sectors({ offset, bytes }: { offset: number; bytes: Uint8Array }) {
  let at = 0;
  while (at < bytes.length) {
    const end = Math.min(bytes.length, at + SECTOR_BYTES - ((offset + at) % SECTOR_BYTES));
    yield { offset: offset + at, bytes: bytes.subarray(at, end) };
    at = end;
  }
}

function directoryOf(path: string): string {
  return path.slice(0, path.lastIndexOf('/'));
}
