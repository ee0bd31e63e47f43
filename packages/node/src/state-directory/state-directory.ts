/**
 * What a node keeps on its disk, and how: `node.json`, `identity.pem`, `roots.pem`, `raft-key.json`, `managers.json`,
 * and the directories `raft/`, `history/` and `agent/`. `node.json` is written last when a node comes to be, and removed first when
 * it goes, so that a directory without it holds no node, whatever else lies in it.
 */

import { rm } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import type { ClusterId, NodeId } from '@skep/core';
import { type DiskLock, nodeDisk } from '@skep/raft/file-storage';
import * as z from 'zod';
import { isNodeError, NodeError } from '../errors.ts';
import type { CredentialTexts } from '../security/credentials.ts';
import { joinPem } from '../security/pem.ts';
import { openUnder, sealUnder } from '../security/unlock-key.ts';
import { makeDirectory, readFileIfThere, writeFileAtomically } from './atomic-file.ts';

const nodeFileSchema = z.object({
  version: z.literal(1),
  clusterId: z.string().transform((text) => text as ClusterId),
  nodeId: z.string().transform((text) => text as NodeId),
  hostname: z.string(),
  /** Where a manager listens, and where others reach it; both `host:port`. */
  listen: z.string(),
  advertise: z.string(),
  /** The node's membership in Raft, while it is a manager. */
  memberId: z.string().optional(),
});

/** What `node.json` says. */
export type NodeFile = z.output<typeof nodeFileSchema>;

const managersFileSchema = z.array(z.string());

const raftKeysSchema = z
  .array(z.object({ id: z.string(), key: z.base64(), wasInClear: z.boolean().default(false) }))
  .min(1);
const raftKeyFileSchema = z.union([
  z.object({ keys: raftKeysSchema }),
  /** The same, sealed under the unlock key; while that is being rotated, under both. */
  z.object({ sealed: z.array(z.base64()).min(1) }),
]);

/** A key that keys of the log are wrapped under. */
export interface RaftKey {
  readonly id: string;
  readonly key: Uint8Array;
  /** It has lain on the disk in clear, and may have been read. */
  readonly wasInClear: boolean;
}

/** Keys that a sealed file is tried with; none of them opens one that is not sealed. */
export type UnlockKeys = readonly Uint8Array[];

const FILES = {
  node: 'node.json',
  identity: 'identity.pem',
  roots: 'roots.pem',
  raftKey: 'raft-key.json',
  managers: 'managers.json',
} as const;

const SEALED_BEGIN = '-----BEGIN SKEP SEALED IDENTITY-----';
const SEALED_END = '-----END SKEP SEALED IDENTITY-----';
const PRIVATE_KEY = /-----BEGIN PRIVATE KEY-----[\s\S]+?-----END PRIVATE KEY-----\n?/;

/** What the parts of the directory are sealed for, while autolock is on. */
const PURPOSE = { identity: 'identity', raftKey: 'raft key' } as const;

/** A node's state directory, held by this process alone. */
export class StateDirectory {
  readonly path: string;
  readonly #lock: DiskLock;
  /** Two who write the same file at once would write into each other's. */
  #turn: Promise<unknown> = Promise.resolve();

  private constructor(path: string, lock: DiskLock) {
    this.path = path;
    this.#lock = lock;
  }

  /** Takes a directory, which is made if it is not there. @throws NodeError `STATE_LOCKED`, `INVALID_OPTION` */
  static async open(dir: string): Promise<StateDirectory> {
    if (dir === '') throw new NodeError('INVALID_OPTION', 'dir must not be empty');
    const path = resolve(dir);
    await makeDirectory(path);
    const lock = await nodeDisk.lock(path);
    if (lock === undefined) throw new NodeError('STATE_LOCKED', `another process has ${path} open`);
    return new StateDirectory(path, lock);
  }

  /** Where Raft keeps its log. */
  get raftPath(): string {
    return join(this.path, 'raft');
  }

  /** Where a manager keeps what has happened, beyond what Raft keeps. */
  get historyPath(): string {
    return join(this.path, 'history');
  }

  /** Where the agent and its driver keep what they must remember. */
  get agentPath(): string {
    return join(this.path, 'agent');
  }

  /** The node that is kept here; undefined if there is none. @throws NodeError `STATE_UNREADABLE` */
  readNode(): Promise<NodeFile | undefined> {
    return this.#readJson(FILES.node, nodeFileSchema);
  }

  writeNode(node: NodeFile): Promise<void> {
    return this.#inTurn(() => this.#write(FILES.node, `${JSON.stringify(node, null, 2)}\n`));
  }

  /**
   * The node's key and certificates.
   *
   * @throws NodeError `LOCKED` if they are sealed and no unlock key is given; `UNLOCK_KEY_REFUSED`, `STATE_UNREADABLE`
   */
  async readCredentials(unlockKeys: UnlockKeys): Promise<CredentialTexts> {
    const [identity, roots] = await Promise.all([this.#read(FILES.identity), this.#read(FILES.roots)]);
    if (identity === undefined || roots === undefined) throw this.#unreadable('a certificate is missing');
    const text = this.#identityIn(identity, unlockKeys);
    const privateKey = PRIVATE_KEY.exec(text)?.[0];
    if (privateKey === undefined) throw this.#unreadable(`${FILES.identity} holds no private key`);
    return { privateKey, chain: text.replace(PRIVATE_KEY, ''), roots };
  }

  /** @param unlockKey - seals the private key; none: it is kept as it is, for its owner alone. */
  writeCredentials(texts: CredentialTexts, unlockKey?: Uint8Array): Promise<void> {
    return this.#inTurn(async () => {
      await this.#write(FILES.roots, texts.roots);
      await this.#write(FILES.identity, sealedIdentity(joinPem(texts.privateKey, texts.chain), unlockKey));
    });
  }

  /** Seals the private key that is there under another key, or under none. @throws as {@link readCredentials} */
  resealIdentity(from: UnlockKeys, to: Uint8Array | undefined): Promise<void> {
    return this.#inTurn(async () => {
      const identity = await this.#read(FILES.identity);
      if (identity === undefined) throw this.#unreadable('a certificate is missing');
      await this.#write(FILES.identity, sealedIdentity(this.#identityIn(identity, from), to));
    });
  }

  writeRoots(roots: string): Promise<void> {
    return this.#inTurn(() => this.#write(FILES.roots, roots));
  }

  /** The keys that the keys of the log are wrapped under, the present one last. @throws as the credentials */
  async readRaftKeys(unlockKeys: UnlockKeys): Promise<readonly RaftKey[]> {
    const kept = await this.#readJson(FILES.raftKey, raftKeyFileSchema);
    if (kept === undefined) return [];
    if ('keys' in kept) return kept.keys.map((key) => decodedKey({ ...key, wasInClear: true }));
    const copies = kept.sealed.map((sealed) => Buffer.from(sealed, 'base64'));
    const opened = this.#opened(PURPOSE.raftKey, copies, unlockKeys);
    return raftKeysSchema.parse(JSON.parse(Buffer.from(opened).toString('utf8'))).map(decodedKey);
  }

  /** @param unlockKeys - each of them opens what is written; none: it is written as it is. */
  writeRaftKeys(keys: readonly RaftKey[], unlockKeys: UnlockKeys): Promise<void> {
    const base64 = (bytes: Uint8Array) => Buffer.from(bytes).toString('base64');
    const encoded = keys.map(({ id, key, wasInClear }) => ({ id, key: base64(key), wasInClear }));
    const bytes = Buffer.from(JSON.stringify(encoded));
    const sealed = unlockKeys.map((unlockKey) => base64(sealUnder(unlockKey, PURPOSE.raftKey, bytes)));
    const kept = sealed.length === 0 ? { keys: encoded } : { sealed };
    return this.#inTurn(() => this.#write(FILES.raftKey, `${JSON.stringify(kept)}\n`));
  }

  /** Addresses of managers, as they were known last. */
  async readManagers(): Promise<readonly string[]> {
    return (await this.#readJson(FILES.managers, managersFileSchema)) ?? [];
  }

  writeManagers(addresses: readonly string[]): Promise<void> {
    return this.#inTurn(() => this.#write(FILES.managers, `${JSON.stringify(addresses)}\n`));
  }

  /** Removes what Raft keeps, and the history with it: the node is no manager any more, or takes part anew. */
  async removeRaft(): Promise<void> {
    await rm(this.raftPath, { recursive: true, force: true });
    await rm(this.historyPath, { recursive: true, force: true });
    await rm(join(this.path, FILES.raftKey), { force: true });
  }

  /** Removes the node. What the agent's driver keeps goes with it. */
  async removeNode(): Promise<void> {
    for (const name of [FILES.node, FILES.identity, FILES.roots, FILES.managers]) {
      await rm(join(this.path, name), { force: true });
    }
    await this.removeRaft();
    await rm(this.agentPath, { recursive: true, force: true });
  }

  /** Lets the directory go. */
  close(): Promise<void> {
    return this.#lock.release();
  }

  #read(name: string): Promise<string | undefined> {
    return readFileIfThere(join(this.path, name));
  }

  #write(name: string, content: string): Promise<void> {
    return writeFileAtomically(join(this.path, name), content);
  }

  async #readJson<T>(name: string, schema: z.ZodType<T>): Promise<T | undefined> {
    const text = await this.#read(name);
    if (text === undefined) return undefined;
    let value: unknown;
    try {
      value = JSON.parse(text);
    } catch (error) {
      throw this.#unreadable(`${name} is damaged`, error);
    }
    const parsed = schema.safeParse(value);
    // What did not parse may be a key, so nothing of it is told.
    if (!parsed.success) throw this.#unreadable(`${name} is damaged, or of a version that is not known`);
    return parsed.data;
  }

  #inTurn(run: () => Promise<void>): Promise<void> {
    const turn = this.#turn.then(run, run);
    this.#turn = turn.catch(() => {});
    return turn;
  }

  #identityIn(identity: string, unlockKeys: UnlockKeys): string {
    if (!identity.startsWith(SEALED_BEGIN)) return identity;
    const body = identity.replace(SEALED_BEGIN, '').replace(SEALED_END, '');
    const opened = this.#opened(PURPOSE.identity, [Buffer.from(body, 'base64')], unlockKeys);
    return Buffer.from(opened).toString('utf8');
  }

  /** What is in the first of some sealed copies that one of the keys opens. */
  #opened(purpose: string, copies: readonly Uint8Array[], unlockKeys: UnlockKeys): Uint8Array {
    let refusal = this.#locked();
    for (const unlockKey of unlockKeys) {
      for (const copy of copies) {
        try {
          return openUnder(unlockKey, purpose, copy);
        } catch (error) {
          if (!isNodeError(error)) throw error;
          refusal = error;
        }
      }
    }
    throw refusal;
  }

  #locked(): NodeError {
    return new NodeError('LOCKED', `the node in ${this.path} is locked: give the unlock key`);
  }

  #unreadable(what: string, cause?: unknown): NodeError {
    return new NodeError('STATE_UNREADABLE', `${this.path}: ${what}`, cause);
  }
}

function sealedIdentity(identity: string, unlockKey: Uint8Array | undefined): string {
  if (unlockKey === undefined) return identity;
  const sealed = sealUnder(unlockKey, PURPOSE.identity, Buffer.from(identity));
  const lines =
    Buffer.from(sealed)
      .toString('base64')
      .match(/.{1,64}/g) ?? [];
  return joinPem(SEALED_BEGIN, ...lines, SEALED_END);
}

function decodedKey(kept: {
  readonly id: string;
  readonly key: string;
  readonly wasInClear: boolean;
}): RaftKey {
  return { ...kept, key: new Uint8Array(Buffer.from(kept.key, 'base64')) };
}
