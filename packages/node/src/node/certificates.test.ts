import { readdir, readFile } from 'node:fs/promises';
import { join as joinPath } from 'node:path';
import { silentLogger, systemClock } from '@skep/core/member';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { certificatesOf, leafOf } from '../security/pem.ts';
import { eventually, Machines, until } from '../test-support/machines.ts';
import { codeOf } from '../test-support/test-cluster.ts';
import { forget } from './start.ts';

const HOUR_MS = 3_600_000;

let machines: Machines;

beforeEach(() => {
  machines = new Machines();
});

afterEach(async () => {
  await machines[Symbol.asyncDispose]();
});

async function chainOf(name: string): Promise<string> {
  return readFile(joinPath(await machines.dirOf(name), 'identity.pem'), 'utf8');
}

async function serialOf(name: string): Promise<string> {
  return leafOf(await chainOf(name)).serialNumber;
}

async function rootsOf(name: string): Promise<string[]> {
  const roots = await readFile(joinPath(await machines.dirOf(name), 'roots.pem'), 'utf8');
  return certificatesOf(roots).map(({ fingerprint256 }) => fingerprint256);
}

describe('given a cluster with certificates', () => {
  it('when one node renews its own, then it has another, and goes on as before', async () => {
    const one = await machines.init('one');
    const worker = await machines.join('worker', 'worker', one);
    const before = [await serialOf('one'), await serialOf('worker')];
    await one.renewCertificate();
    await worker.renewCertificate();
    const after = [await serialOf('one'), await serialOf('worker')];
    expect(after[0]).not.toBe(before[0]);
    expect(after[1]).not.toBe(before[1]);
    const two = await machines.join('two', 'manager', one);
    await two.cluster.services.create({ name: 'web', task: { image: 'web' } });
  });

  it('when all are to renew, then all do, by themselves', async () => {
    const renewed: string[] = [];
    const told = (name: string) => ({
      logger: { ...silentLogger, info: (_: object, what: string) => void renewed.push(`${name}: ${what}`) },
    });
    const one = await machines.init('one', told('one'));
    await machines.join('worker', 'worker', one, told('worker'));
    await machines.join('two', 'manager', one, told('two'));
    const names = ['one', 'worker', 'two'];
    const before = await Promise.all(names.map(serialOf));
    await one.renewCertificates();
    for (const [at, name] of names.entries()) {
      await eventually(async () => (await serialOf(name)) !== before[at]);
    }
    const after = await Promise.all(names.map(serialOf));
    await one.cluster.services.create({ name: 'web', task: { image: 'web' } });
    expect(await Promise.all(names.map(serialOf))).toEqual(after);
    const ofRenewals = renewed.filter((line) => line.endsWith('renewed the certificate'));
    expect(ofRenewals.sort()).toEqual([...names].sort().map((name) => `${name}: renewed the certificate`));
  });

  it('when the root is rotated, then all go over without a pause, the old one is dropped, and the tokens are others', async () => {
    const one = await machines.init('one');
    const two = await machines.join('two', 'manager', one);
    await machines.join('worker', 'worker', one);
    const names = ['one', 'two', 'worker'];
    const [oldRoot] = await rootsOf('one');
    const oldToken = one.joinTokens().worker;
    await two.rotateRoot();
    const late = await machines
      .join('late', 'worker', one, { token: oldToken })
      .catch((error: unknown) => error);
    await until(() => !one.isRotatingRoot && !two.isRotatingRoot);
    for (const name of names) {
      await eventually(async () => {
        const roots = await rootsOf(name);
        return roots.length === 1 && roots[0] !== oldRoot;
      });
    }
    expect(late).toMatchObject({ role: 'worker' });
    expect(one.joinTokens().worker).not.toBe(oldToken);
    expect(await codeOf(machines.join('new', 'worker', one, { token: oldToken }))).toBe('ROOT_MISMATCH');
    const three = await machines.join('three', 'manager', two);
    await three.cluster.services.create({ name: 'web', task: { image: 'web' } });
    await one.close();
    const again = await machines.start('one');
    await until(() => again.cluster.services.list().length === 1);
  });

  it('when a clock is an hour off, then a machine is told which way, and does not join', async () => {
    const one = await machines.init('one');
    for (const offsetMs of [HOUR_MS, -HOUR_MS]) {
      const clock = { ...systemClock, now: () => Date.now() + offsetMs };
      const error = await machines.join('new', 'worker', one, { clock }).catch((reason: unknown) => reason);
      expect(error).toMatchObject({ code: 'CLOCK_SKEW' });
      expect(String(error)).toContain(offsetMs > 0 ? '60 minutes ahead' : '60 minutes behind');
    }
    expect(one.cluster.nodes.count).toBe(1);
    expect(await readdir(await machines.dirOf('new'))).toEqual([]);
  });

  it("when its certificate has ended, then a node is told so, and the cluster's others are not harmed", async () => {
    const one = await machines.init('one');
    const worker = await machines.join('worker', 'worker', one);
    const clock = { ...systemClock, now: () => Date.now() + 100 * 24 * HOUR_MS };
    await one.close();
    const later = await machines.start('one', { clock });
    worker.link.setManagers([later.advertise]);
    expect(await codeOf(worker.renewCertificate())).toBe('CERTIFICATE_EXPIRED');
    await worker.close();
    expect(await codeOf(machines.start('worker', { clock }))).toBe('CERTIFICATE_EXPIRED');
    const dir = await machines.dirOf('worker');
    await forget(dir);
    expect(await readdir(dir)).toEqual([]);
    expect((await machines.join('worker', 'worker', later, { clock })).role).toBe('worker');
  });

  it('when a worker starts after its certificate has ended, or with a clock before its beginning, then it is told', async () => {
    const one = await machines.init('one');
    await (await machines.join('worker', 'worker', one)).close();
    const startAt = (offsetMs: number) => {
      const clock = { ...systemClock, now: () => Date.now() + offsetMs };
      return codeOf(machines.start('worker', { clock }));
    };
    expect(await startAt(100 * 24 * HOUR_MS)).toBe('CERTIFICATE_EXPIRED');
    expect(await startAt(-2 * HOUR_MS)).toBe('CERTIFICATE_NOT_YET_VALID');
    const again = await machines.start('worker');
    await again.renewCertificate();
  });

  it('when everything on the disk is read, then no token, secret or key of the CA is found in clear', async () => {
    const one = await machines.init('one');
    await machines.join('two', 'manager', one);
    await one.cluster.secrets.create({ name: 'password' }, new TextEncoder().encode('correct horse battery'));
    const { record } = one.manager.trust;
    const keyLines = record.root.privateKey.split('\n').filter((line) => line.length > 40);
    const wanted = ['correct horse battery', record.tokens.manager, record.tokens.worker, ...keyLines];
    expect(keyLines.length).toBeGreaterThan(0);
    for (const name of ['one', 'two']) {
      const dir = await machines.dirOf(name);
      for (const entry of await readdir(dir, { recursive: true, withFileTypes: true })) {
        if (!entry.isFile()) continue;
        const bytes = await readFile(joinPath(entry.parentPath, entry.name));
        const found = wanted.filter((text) => bytes.includes(text));
        expect([entry.name, found]).toEqual([entry.name, []]);
      }
    }
  });
});
