import { createPrivateKey } from 'node:crypto';
import { readdir } from 'node:fs/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { parseJoinToken, rootDigestOf } from '../security/join-token.ts';
import type { OwnAuthority } from '../security/own-authority.ts';
import { leafOf } from '../security/pem.ts';
import { Machines, until } from '../test-support/machines.ts';
import { ownRoot } from '../test-support/own-root.ts';
import { codeOf } from '../test-support/test-cluster.ts';

let machines: Machines;

beforeEach(() => {
  machines = new Machines();
});

afterEach(async () => {
  await machines[Symbol.asyncDispose]();
});

const digestOf = ({ certificate }: OwnAuthority) => Buffer.from(rootDigestOf(leafOf(certificate).raw));
const digestIn = (token: string) => Buffer.from(parseJoinToken(token).rootDigest);

describe("given a user's own root", () => {
  it.each(['P-256', 'P-384', 'RSA'] as const)(
    'when a cluster is made with one of %s, then its tokens name it, and nodes join under it',
    async (key) => {
      const ca = await ownRoot({ key });
      const one = await machines.init('one', { ca });
      expect(digestIn(one.joinTokens().worker)).toEqual(digestOf(ca));
      const two = await machines.join('two', 'manager', one);
      await machines.join('worker', 'worker', two);
      await two.cluster.services.create({ name: 'web', task: { image: 'web' } });
      await one.close();
      const again = await machines.start('one');
      await until(() => again.cluster.services.list().length === 1);
    },
  );

  it('when it breaks a rule, then that is told without a word of the key, and no cluster is made', async () => {
    const good = await ownRoot();
    const other = await ownRoot();
    const encrypted = createPrivateKey(good.privateKey)
      .export({ type: 'pkcs8', format: 'pem', cipher: 'aes-256-cbc', passphrase: 'x' })
      .toString();
    const wrong: readonly [OwnAuthority, string][] = [
      [{ ...good, certificate: 'nonsense' }, 'ca.certificate must be one certificate'],
      [{ ...good, certificate: good.certificate + other.certificate }, 'must be one certificate'],
      [{ ...good, privateKey: 'nonsense' }, 'ca.privateKey can not be read'],
      [{ ...good, privateKey: encrypted }, 'not encrypted'],
      [{ ...good, privateKey: other.privateKey }, 'is not the key of the certificate'],
      [await ownRoot({ isAuthority: false }), 'must be that of an authority'],
      [await ownRoot({ days: 300 }), 'must be valid for a year or more'],
      [await ownRoot({ key: 'P-521' }), 'must be of one of these kinds'],
      [await ownRoot({ pathLength: 0 }), 'must allow'],
    ];
    for (const [ca, rule] of wrong) {
      const error = await machines.init('one', { ca }).catch((reason: unknown) => reason);
      expect(error).toMatchObject({ code: 'CA_REFUSED' });
      expect(String(error)).toContain(rule);
      expect(String(error)).not.toContain(ca.privateKey.slice(-80, -40) || 'nonsense');
    }
    expect(await readdir(await machines.dirOf('one'))).toEqual([]);
  });
});

describe('given a cluster whose root is to be replaced by a given one', () => {
  it('when it is rotated, then all go over to that one, and the tokens name it', async () => {
    const one = await machines.init('one');
    const two = await machines.join('two', 'manager', one);
    await machines.join('worker', 'worker', one);
    const ca = await ownRoot();
    await two.rotateRoot({ ca });
    await until(() => !one.isRotatingRoot && !two.isRotatingRoot);
    for (const node of [one, two]) expect(digestIn(node.joinTokens().manager)).toEqual(digestOf(ca));
    await machines.join('new', 'worker', two);
    expect(await codeOf(one.rotateRoot({ ca }))).toBe('CA_REFUSED');
    expect(one.isRotatingRoot).toBe(false);
    // And back to one of its own.
    await one.rotateRoot();
    await until(() => !one.isRotatingRoot && !two.isRotatingRoot);
    expect(digestIn(one.joinTokens().manager)).not.toEqual(digestOf(ca));
  });
});
