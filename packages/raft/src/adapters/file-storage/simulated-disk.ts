/**
 * A disk in memory that does what real ones do at their worst: a power cut keeps any sectors of what was not synced, in
 * any order, whole or torn, or leaves garbage where a file had grown; a sync fails and the pages are forgotten; room
 * runs out within a write; bits flip. All of it is drawn from the given source, so what happened can be run again.
 *
 * After Pillai et al., "All File Systems Are Not Created Equal" (OSDI 2014): names are as unsafe as data until their
 * directory is synced.
 */

import type { Random } from '../../core/types.ts';
import type { DiskCall, DiskPace } from '../../simulator/nodes/member-disk.ts';
import type { Disk, DiskFile, DiskLock, OpenMode } from './disk.ts';
import { Inode } from './simulated-inode.ts';

/** What the operations of a {@link SimulatedDisk} reject with. */
export class SimulatedDiskError extends Error {
  override readonly name = 'SimulatedDiskError';
  /** As a real system names it: `EIO`, `ENOSPC`, `ENOENT`, `EEXIST`, `EBADF`. */
  readonly code: string;

  constructor(code: string, what: string) {
    super(`${code}: ${what}`);
    this.code = code;
  }
}

/** A change of names that is not synced. */
interface Naming {
  readonly directory: string;
  readonly apply: (names: Map<string, Inode>) => void;
}

/** A call that is going to fail. */
interface Failing {
  readonly what: 'sync' | 'write';
  readonly code: 'EIO' | 'ENOSPC';
  readonly matches: (path: string) => boolean;
}

/** A disk for tests and simulations. Directories need no making. */
export class SimulatedDisk implements Disk {
  /** The most bytes that all files may have together. */
  capacity = Number.POSITIVE_INFINITY;
  /** Operations so far. */
  operations = 0;
  /** Syncs of file data so far. */
  syncs = 0;
  readonly #random: Random;
  readonly #pace: DiskPace;
  readonly #locks = new Set<string>();
  #names = new Map<string, Inode>();
  #durableNames = new Map<string, Inode>();
  #namings: Naming[] = [];
  #life = 0;
  #cutAt = Number.POSITIVE_INFINITY;
  #failing: Failing[] = [];

  /** @param pace - how long each call takes. By default none takes longer than a turn of promises. */
  constructor(random: Random, pace: DiskPace = () => undefined) {
    this.#random = random;
    this.#pace = pace;
  }

  /** After this many more operations each one fails, until {@link SimulatedDisk.boot}. */
  cutPowerAfter(operations: number): void {
    this.#cutAt = this.operations + operations;
  }

  /** Power is lost. What was not synced is there in part, or not at all. */
  crash(): void {
    const names = new Map(this.#durableNames);
    const inOrder = this.#random.next() < 0.5;
    const kept = Math.floor(this.#random.next() * (this.#namings.length + 1));
    for (const [at, naming] of this.#namings.entries()) {
      if (inOrder ? at < kept : this.#random.next() < 0.5) naming.apply(names);
    }
    this.#names = names;
    this.#durableNames = new Map(names);
    this.#namings = [];
    for (const inode of new Set(names.values())) inode.crash(this.#random);
    this.kill();
  }

  /** The process dies. What it wrote can be read by the next one, and is as unsynced as it was. */
  kill(): void {
    this.#life += 1;
    this.#cutAt = 0;
    this.#failing = [];
    this.#locks.clear();
  }

  /** The next process may use the disk. */
  boot(): void {
    this.#cutAt = Number.POSITIVE_INFINITY;
  }

  /** The next sync of a matching file fails, and what it should have made durable never will be, though it reads well. */
  failNextSync(matches: (path: string) => boolean = () => true): void {
    this.#failing.push({ what: 'sync', code: 'EIO', matches });
  }

  /** The next write to a matching file fails halfway. With `ENOSPC` as where a file system copies what it overwrites. */
  failNextWrite(matches: (path: string) => boolean = () => true, code: 'EIO' | 'ENOSPC' = 'EIO'): void {
    this.#failing.push({ what: 'write', code, matches });
  }

  /** Bytes that all files have together. */
  get used(): number {
    let used = 0;
    for (const { seen } of new Set(this.#names.values())) used += seen.length;
    return used;
  }

  /** All files, sorted. */
  paths(): string[] {
    return [...this.#names.keys()].sort();
  }

  /** A file as programs see it. */
  contents(path: string): Uint8Array {
    return this.#inode(path).seen.slice();
  }

  /** What is durable of a file; undefined if its name is not. */
  durableContents(path: string): Uint8Array | undefined {
    return this.#durableNames.get(path)?.durable.slice();
  }

  /** The system writes back by itself what nobody has synced, as it does in time. */
  writeBack(): void {
    for (const inode of new Set(this.#names.values())) inode.sync();
    for (const naming of this.#namings) naming.apply(this.#durableNames);
    this.#namings = [];
  }

  /** The file is gone for good, and no program is told. */
  lose(path: string): void {
    this.#names.delete(path);
    this.#durableNames.delete(path);
  }

  /** Puts these bytes in the place of a file's, durably: how damage is done. */
  replace(path: string, contents: Uint8Array): void {
    this.#inode(path).replace(contents);
  }

  /** One bit rots, from 0 to 7 of the byte at `offset`. Needs no write, and no program is told. */
  flipBit(path: string, offset: number, bit: number): void {
    this.#inode(path).flip(offset, bit);
  }

  /** Another disk with the same files, all durable. */
  copy(random: Random): SimulatedDisk {
    const copy = new SimulatedDisk(random);
    for (const [path, { seen }] of this.#names) {
      const inode = new Inode();
      inode.replace(seen);
      copy.#names.set(path, inode);
      copy.#durableNames.set(path, inode);
    }
    return copy;
  }

  open(path: string, mode: OpenMode): Promise<DiskFile> {
    return this.#operation(`open ${path}`, () => {
      if (mode !== 'create') return this.#file(path, this.#inode(path));
      if (this.#names.has(path)) throw new SimulatedDiskError('EEXIST', path);
      const inode = new Inode();
      this.#rename(path, (names) => names.set(path, inode));
      return this.#file(path, inode);
    });
  }

  list(directory: string): Promise<string[]> {
    return this.#operation(`list ${directory}`, () => {
      const here = [...this.#names.keys()].filter((path) => directoryOf(path) === directory);
      return here.map((path) => path.slice(directory.length + 1));
    });
  }

  makeDirectory(directory: string): Promise<void> {
    return this.#operation(`mkdir ${directory}`, () => {});
  }

  rename(from: string, to: string): Promise<void> {
    return this.#operation(`rename ${from}`, () => {
      const inode = this.#inode(from);
      this.#rename(to, (names) => {
        names.delete(from);
        names.set(to, inode);
      });
    });
  }

  unlink(path: string): Promise<void> {
    return this.#operation(`unlink ${path}`, () => {
      this.#inode(path);
      this.#rename(path, (names) => names.delete(path));
    });
  }

  syncDirectory(directory: string): Promise<void> {
    return this.#operation(`sync ${directory}`, () => {
      const isHere = (naming: Naming) => naming.directory === directory;
      for (const naming of this.#namings.filter(isHere)) naming.apply(this.#durableNames);
      this.#namings = this.#namings.filter((naming) => !isHere(naming));
    });
  }

  lock(directory: string): Promise<DiskLock | undefined> {
    return this.#operation(`lock ${directory}`, () => {
      if (this.#locks.has(directory)) return undefined;
      this.#locks.add(directory);
      const life = this.#life;
      const release = async () => {
        if (life === this.#life) this.#locks.delete(directory);
      };
      return { release };
    });
  }

  #file(path: string, inode: Inode): DiskFile {
    const life = this.#life;
    const operation = <T>(what: string, effect: () => T) => this.#operation(`${what} ${path}`, effect, life);
    const sync = (what: string) =>
      operation(what, () => {
        if (this.#takeFailure('sync', path) !== undefined) {
          // Later syncs of these pages report success and do nothing.
          inode.changes = [];
          throw new SimulatedDiskError('EIO', `${what} ${path}`);
        }
        inode.sync();
        this.syncs += 1;
      });
    return {
      read: (into, offset) =>
        operation('read', () => {
          const bytes = inode.seen.subarray(offset, offset + into.length);
          into.set(bytes);
          return bytes.length;
        }),
      write: async (bytes, offset) => {
        if (life !== this.#life) throw new SimulatedDiskError('EBADF', `write ${path}`);
        const room = inode.seen.length + this.capacity - this.used;
        const length = Math.min(bytes.length, Math.max(0, Math.max(room, inode.seen.length) - offset));
        const failing = this.#takeFailure('write', path);
        const kept = failing !== undefined ? Math.floor(length / 2) : length;
        // Before the operation counts: a power cut within it may have kept any part.
        if (this.#isPowered) inode.change({ offset, bytes: new Uint8Array(bytes.subarray(0, kept)) });
        await operation('write', () => {
          if (failing !== undefined) throw new SimulatedDiskError(failing.code, `write ${path}`);
          if (length < bytes.length) throw new SimulatedDiskError('ENOSPC', `write ${path}`);
        });
      },
      datasync: () => sync('datasync'),
      sync: () => sync('sync'),
      truncate: (length) => operation('truncate', () => inode.change({ offset: length })),
      size: () => operation('size', () => inode.seen.length),
      close: async () => {},
    };
  }

  /** One call of the system. Its effect comes at one instant: no crash comes between it and the answer. */
  async #operation<T>(what: string, effect: () => T, life = this.#life): Promise<T> {
    const isPowered = this.#isPowered && life === this.#life;
    this.operations += 1;
    await this.#pace(callOf(what));
    if (life !== this.#life) throw new SimulatedDiskError('EBADF', what);
    if (!isPowered) throw new SimulatedDiskError('EIO', `${what}: the power is off`);
    return effect();
  }

  get #isPowered(): boolean {
    return this.operations < this.#cutAt;
  }

  #takeFailure(what: Failing['what'], path: string): Failing | undefined {
    const at = this.#failing.findIndex((failing) => failing.what === what && failing.matches(path));
    return at < 0 ? undefined : this.#failing.splice(at, 1)[0];
  }

  #rename(path: string, apply: Naming['apply']): void {
    apply(this.#names);
    this.#namings.push({ directory: directoryOf(path), apply });
  }

  #inode(path: string): Inode {
    const inode = this.#names.get(path);
    if (inode === undefined) throw new SimulatedDiskError('ENOENT', path);
    return inode;
  }
}

function directoryOf(path: string): string {
  return path.slice(0, path.lastIndexOf('/'));
}

function callOf(what: string): DiskCall {
  const [verb = ''] = what.split(' ', 1);
  if (verb === 'sync' || verb === 'datasync') return 'sync';
  if (verb === 'write' || verb === 'truncate') return 'write';
  return verb === 'read' || verb === 'size' ? 'read' : 'names';
}
