/**
 * The file storage under the simulation of nodes: each member's files lie on a {@link SimulatedDisk}, and no nonce may
 * be used twice under one key, whoever uses it. Segments are small, so that all that happens between them does happen.
 */

import type { DiskPace, MemberDisk, MemberDisks, StreamOf } from '../../simulator/nodes/member-disk.ts';
import type { RandomStream } from '../../simulator/seeded-random.ts';
import { HEADER_BYTES } from './file-header.ts';
import { FileStorage } from './file-storage.ts';
import { FRAME_OVERHEAD, isMark, MARK_BYTES, MARK_KIND, readHead } from './frame.ts';
import { KEY_BYTES, KeyRing } from './keys.ts';
import { NonceAudit } from './nonce-audit.ts';
import { SimulatedDisk } from './simulated-disk.ts';

const DIRECTORY = '/member';

/** Disks with a {@link FileStorage} on each. Made for one simulation. */
export class SimulatedFileDisks implements MemberDisks {
  readonly #audit = new NonceAudit();

  get brokenRule(): string | undefined {
    const [reused] = this.#audit.reused;
    return reused === undefined ? undefined : `a nonce was used twice: ${reused}`;
  }

  make(streamOf: StreamOf, pace: DiskPace): MemberDisk {
    return new SimulatedFileDisk(streamOf, pace, this.#audit);
  }
}

class SimulatedFileDisk implements MemberDisk {
  readonly #rotRandom: RandomStream;
  readonly #keyRandom: RandomStream;
  readonly #disk: SimulatedDisk;
  readonly #audit: NonceAudit;
  readonly #keys: KeyRing;
  #storage: FileStorage | undefined;
  #keyNumber = 1;

  constructor(streamOf: StreamOf, pace: DiskPace, audit: NonceAudit) {
    this.#rotRandom = streamOf('rot');
    this.#keyRandom = streamOf('keys');
    this.#disk = new SimulatedDisk(streamOf('disk'), pace);
    this.#audit = audit;
    this.#keys = new KeyRing({ id: 'key 1', key: this.#bytes(KEY_BYTES) }, (length) => this.#bytes(length));
  }

  boot(): FileStorage {
    this.#disk.boot();
    this.#storage = new FileStorage({
      directory: DIRECTORY,
      keys: this.#keys,
      disk: this.#audit.watch(this.#disk),
      segmentBytes: 4096,
      preallocateBytes: 700,
      randomBytes: (length) => this.#bytes(length),
      yieldTurn: () => Promise.resolve(),
    });
    return this.#storage;
  }

  crash(how: 'kill' | 'power'): void {
    if (how === 'power') this.#disk.crash();
    else this.#disk.kill();
  }

  failNext(what: 'sync' | 'write' | 'room'): void {
    if (what === 'sync') this.#disk.failNextSync();
    else this.#disk.failNextWrite(() => true, what === 'room' ? 'ENOSPC' : 'EIO');
  }

  leaveRoom(bytes: number | undefined): void {
    this.#disk.capacity = bytes === undefined ? Number.POSITIVE_INFINITY : this.#disk.used + bytes;
  }

  rot(): ReturnType<MemberDisk['rot']> {
    this.#disk.writeBack();
    const paths = this.#disk.paths();
    const segments = paths.filter((path) => path.endsWith('.wal'));
    const newest = segments.at(-1);
    if (newest !== undefined && this.#rotRandom.chance(0.4) && this.#isMissed(newest, segments.at(-2))) {
      this.#disk.lose(newest);
      return { kind: 'files that were lost', where: newest };
    }
    const isAtEnd = this.#rotRandom.chance(0.3);
    const path = isAtEnd
      ? newest
      : this.#rotRandom.pick(paths.filter((each) => /\.(wal|snapshot)$/.test(each)));
    if (path === undefined) return undefined;
    const { firm, end, last } = frameEnds(this.#durable(path), path.endsWith('.wal'));
    // The last frame of the log may be one whose sync never came back: no storage could tell it from one that rotted.
    const bytes = path === newest ? firm : end;
    if (bytes === 0) return undefined;
    const offset = this.#rotRandom.between(isAtEnd && firm === end ? last : 0, bytes - 1);
    this.#disk.flipBit(path, offset, this.#rotRandom.between(0, 7));
    return { kind: 'bits that flipped', where: `${path} at ${offset} of ${bytes}` };
  }

  async rotateKey(): Promise<void> {
    this.#keyNumber += 1;
    this.#keys.add({ id: `key ${this.#keyNumber}`, key: this.#bytes(KEY_BYTES) });
    await this.#storage?.rotateKey();
  }

  /** Whether it can be known that the last segment is gone. */
  #isMissed(newest: string, before: string | undefined): boolean {
    if (this.#disk.durableContents(newest) === undefined) return false;
    if (before === undefined) return this.#disk.durableContents(`${DIRECTORY}/begun`) !== undefined;
    return frameEnds(this.#durable(before), true).isContinued;
  }

  #durable(path: string): Buffer {
    return Buffer.from(this.#disk.durableContents(path) ?? []);
  }

  #bytes(length: number): Uint8Array {
    return Uint8Array.from({ length }, () => this.#keyRandom.between(0, 255));
  }
}

/**
 * Up to where a file holds what is known to have been synced, where its last frame begins and ends, and whether its last
 * mark says that the log goes on.
 */
function frameEnds(bytes: Buffer, hasMarks: boolean) {
  let firm = 0;
  let last = 0;
  let end = Math.min(bytes.length, HEADER_BYTES);
  let isContinued = false;
  for (let at = end; ; ) {
    const mark = hasMarks && at > HEADER_BYTES ? readHead(bytes, at) : undefined;
    isContinued = mark?.kind === MARK_KIND.continued;
    if (mark !== undefined) firm = end;
    if (hasMarks && at > HEADER_BYTES) at += MARK_BYTES;
    const head = readHead(bytes, at);
    if (head === undefined || isMark(head)) return { firm, end, last, isContinued };
    firm = end;
    last = at;
    end = at + head.length + FRAME_OVERHEAD;
    at = end;
  }
}
