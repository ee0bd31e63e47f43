import { readFile } from 'node:fs/promises';
import { join as joinPath } from 'node:path';
import { systemClock } from '@skep/core/member';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { RpcChannel } from '../rpc/channel.ts';
import { type AnyMethod, type Method, nothing } from '../rpc/method.ts';
import { strangersContext } from '../security/credentials.ts';
import { trustedRoots } from '../security/trust-record.ts';
import { eventually, Machines, until } from '../test-support/machines.ts';
import { codeOf } from '../test-support/test-cluster.ts';

let machines: Machines;

beforeEach(() => {
  machines = new Machines();
});

afterEach(async () => {
  await machines[Symbol.asyncDispose]();
});

const asked = ({ name }: AnyMethod): Method<'unary', undefined, undefined> => ({
  ...{ name, kind: 'unary', callers: 'anyone', answeredBy: 'any', request: nothing, response: nothing },
});

describe('given a manager with all that it answers', () => {
  it('when a worker asks for what only managers may, then each is refused by its role', async () => {
    const one = await machines.init('one');
    const worker = await machines.join('worker', 'worker', one);
    const methods = one.manager.server.methods.filter(
      ({ callers }) => callers !== 'anyone' && !callers.includes('worker'),
    );
    expect(methods.map(({ name }) => name).sort()).toEqual([
      'control.ask',
      'control.command',
      'control.exec',
      'control.logs',
      'membership.announce',
      'membership.demote',
      'membership.remove',
    ]);
    for (const method of methods) {
      expect([method.name, await codeOf(worker.link.unary(asked(method), undefined))]).toEqual([
        method.name,
        'WRONG_ROLE',
      ]);
    }
  });

  it('when somebody without a certificate asks, then nothing but what joining needs is answered', async () => {
    const one = await machines.init('one');
    const { methods } = one.manager.server;
    const open = methods.filter(({ callers }) => callers === 'anyone').map(({ name }) => name);
    expect(open.sort()).toEqual(['join.certificate', 'join.roots']);
    const roots = trustedRoots(one.manager.trust.record);
    const channel = new RpcChannel({
      address: one.advertise,
      context: () => strangersContext(roots),
      expected: { kind: 'manager', clusterId: one.clusterId },
      clock: systemClock,
    });
    try {
      for (const method of methods) {
        if (method.callers === 'anyone') continue;
        expect([method.name, await codeOf(channel.unary(asked(method), undefined))]).toEqual([
          method.name,
          'CERTIFICATE_MISSING',
        ]);
      }
    } finally {
      channel.close();
    }
  });
});

describe('given a worker, and managers that come and go', () => {
  it('when they do, then the worker hears where the managers are, and remembers it', async () => {
    const one = await machines.init('one');
    const worker = await machines.join('worker', 'worker', one);
    const two = await machines.join('two', 'manager', one);
    const kept = async () =>
      JSON.parse(await readFile(joinPath(await machines.dirOf('worker'), 'managers.json'), 'utf8'));
    await until(() => worker.link.managers.includes(two.advertise));
    await eventually(async () => (await kept()).includes(two.advertise));
    const gone = two.advertise;
    await two.leave();
    await until(() => !worker.link.managers.includes(gone));
    await eventually(async () => !(await kept()).includes(gone));
  });
});
