import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemRandom } from '@skep/core/member';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { newUnlockKey } from '../security/unlock-key.ts';
import { type RaftKey, StateDirectory } from '../state-directory/state-directory.ts';
import { codeOf } from '../test-support/test-cluster.ts';
import { type KeyFiles, KeyKeeper } from './key-keeper.ts';

const TEXTS = {
  privateKey: '-----BEGIN PRIVATE KEY-----\nsecret\n-----END PRIVATE KEY-----\n',
  chain: '-----BEGIN CERTIFICATE-----\nnode\n-----END CERTIFICATE-----\n',
  roots: '-----BEGIN CERTIFICATE-----\nroot\n-----END CERTIFICATE-----\n',
};

/** The disk fails from some write on, as that of a process which is killed does. */
function dyingFrom(write: number, { directory }: { readonly directory: StateDirectory }): KeyFiles {
  let writes = 0;
  const alive = async (doing: () => Promise<void>) => {
    writes += 1;
    if (writes >= write) throw new Error('killed');
    await doing();
  };
  return {
    readRaftKeys: (unlockKeys) => directory.readRaftKeys(unlockKeys),
    writeRaftKeys: (keys, unlockKeys) => alive(() => directory.writeRaftKeys(keys, unlockKeys)),
    resealIdentity: (from, to) => alive(() => directory.resealIdentity(from, to)),
  };
}

/** A log that is written under the present key of whoever opened it, until it goes over to another. */
class Rings {
  present = '';
  readonly wentOverTo: string[] = [];

  get logKeysInUse() {
    return new Set([this.present]);
  }

  async keysInUse() {
    return this.logKeysInUse;
  }

  async goOverTo({ id }: RaftKey) {
    this.present = id;
    this.wentOverTo.push(id);
  }
}

let path: string;
let directory: StateDirectory;

beforeEach(async () => {
  path = await mkdtemp(join(tmpdir(), 'skep-keys-'));
  directory = await StateDirectory.open(path);
});

afterEach(async () => {
  await directory.close();
  await rm(path, { recursive: true, force: true });
});

const keeperOf = (files: KeyFiles, unlockKey?: Uint8Array) =>
  new KeyKeeper({ directory: files, random: systemRandom, unlockKey });

/** Those of the keys with which a start succeeds. */
async function openers(keys: readonly (Uint8Array | undefined)[]): Promise<(Uint8Array | undefined)[]> {
  const found = [];
  for (const key of keys) {
    const given = key === undefined ? [] : [key];
    const opens = async () => [await directory.readCredentials(given), await directory.readRaftKeys(given)];
    if ((await codeOf(opens())) === 'no error') found.push(key);
  }
  return found;
}

describe('given a manager that seals its keys anew', () => {
  const first = newUnlockKey(systemRandom);
  const second = newUnlockKey(systemRandom);
  const changes = [
    ['turns autolock on', undefined, first],
    ['rotates the unlock key', first, second],
    ['turns autolock off', first, undefined],
  ] as const;

  for (const [what, before, after] of changes) {
    it(`when it ${what} and is killed between any two writes, then a key of the two opens it, and it ends what it began`, async () => {
      for (let write = 1; write <= 6; write++) {
        const rings = new Rings();
        const renewals: string[] = [];
        const parts = { rings, renewCertificate: async () => void renewals.push('renewed') };
        await directory.writeCredentials(TEXTS, before);
        await directory.writeRaftKeys(
          [{ id: 'old', key: systemRandom.bytes(32), wasInClear: before === undefined }],
          before === undefined ? [] : [before],
        );
        rings.present = 'old';
        await keeperOf(dyingFrom(write, { directory }), before)
          .sealUnder(after, parts)
          .catch(() => {});
        const [opener] = await openers([after, before]);
        expect([write, (await openers([after, before])).length > 0]).toEqual([write, true]);
        const again = keeperOf(directory, opener);
        rings.present = (await again.raftKeys()).find(({ id }) => id === rings.present)?.id ?? 'lost';
        await again.sealUnder(after, parts);
        expect([write, await openers([after])]).toEqual([write, [after]]);
        const raftKeys = await readFile(join(path, 'raft-key.json'), 'utf8');
        const identity = await readFile(join(path, 'identity.pem'), 'utf8');
        expect([raftKeys.includes('sealed'), identity.includes('PRIVATE KEY')]).toEqual([
          after !== undefined,
          after === undefined,
        ]);
        expect((await directory.readCredentials(after === undefined ? [] : [after])).privateKey).toBe(
          TEXTS.privateKey,
        );
        if (before === undefined) {
          const kept = await directory.readRaftKeys([first]);
          expect(kept).toMatchObject([{ wasInClear: false, id: rings.present }]);
          expect(renewals.length).toBeGreaterThan(0);
        }
      }
    });
  }

  it('when writing fails and it is asked again, then it begins again', async () => {
    await directory.writeCredentials(TEXTS);
    const rings = new Rings();
    const parts = { rings, renewCertificate: async () => {} };
    let isFull = true;
    const files: KeyFiles = {
      readRaftKeys: (keys) => directory.readRaftKeys(keys),
      writeRaftKeys: (keys, under) => directory.writeRaftKeys(keys, under),
      resealIdentity: async (from, to) => {
        if (isFull) throw new Error('no space is left');
        await directory.resealIdentity(from, to);
      },
    };
    const keeper = keeperOf(files);
    rings.present = (await keeper.raftKeys())[0]?.id ?? '';
    await expect(keeper.sealUnder(first, parts)).rejects.toThrow('no space');
    isFull = false;
    await keeper.sealUnder(first, parts);
    expect(await openers([first, undefined])).toEqual([first]);
  });

  it('when it becomes a worker, then its identity needs no key any more', async () => {
    await directory.writeCredentials(TEXTS, first);
    await keeperOf(directory, first).forget();
    expect((await directory.readCredentials([])).privateKey).toBe(TEXTS.privateKey);
  });
});

describe('given a state directory', () => {
  it('when many write the same file at once, then it holds one of them, whole', async () => {
    const texts = Array.from({ length: 20 }, (_, turn) => ({
      ...TEXTS,
      privateKey: `-----BEGIN PRIVATE KEY-----\n${String(turn).repeat(2000)}\n-----END PRIVATE KEY-----\n`,
    }));
    await Promise.all(texts.map((each) => directory.writeCredentials(each)));
    expect((await directory.readCredentials([])).privateKey).toBe(texts.at(-1)?.privateKey);
  });
});
