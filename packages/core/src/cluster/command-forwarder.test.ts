import { afterEach, describe, expect, it } from 'vitest';
import { InvalidSpecError, PreconditionError } from '../errors.ts';
import { Cluster } from './cluster.ts';
import { COMMANDS } from './command-forwarder.ts';
import { Configs } from './configs.ts';
import { Networks } from './networks.ts';
import { Nodes } from './nodes.ts';
import { Rebalancing } from './rebalancing.ts';
import { SealedRecords } from './sealed-records.ts';
import { Secrets } from './secrets.ts';
import { Services } from './services.ts';
import { Settings } from './settings.ts';
import { Volumes } from './volumes.ts';

let cluster: Cluster | undefined;

afterEach(async () => {
  await cluster?.close();
  cluster = undefined;
});

/** What a member answers by itself, from the state that it has. */
const READS = new Set([
  'constructor',
  'diagnose',
  'inspect',
  'list',
  'status',
  'waitFor',
  'drainProgress',
  'plan',
  'progress',
  'get',
  'count',
  'onChange',
  'logs',
  'holds',
]);

describe('given the collections of a cluster', () => {
  it('then each of their commands can be sent to the leader', () => {
    const classes = {
      services: Services,
      nodes: Nodes,
      networks: Networks,
      secrets: Secrets,
      configs: Configs,
      records: SealedRecords,
      rebalance: Rebalancing,
      settings: Settings,
      volumes: Volumes,
    };
    expect(Object.keys(COMMANDS).sort()).toEqual(Object.keys(classes).sort());
    for (const [name, { prototype }] of Object.entries(classes)) {
      const commands = Object.getOwnPropertyNames(prototype).filter((method) => !READS.has(method));
      expect(Object.keys(COMMANDS[name] ?? {}).sort(), name).toEqual(commands.sort());
    }
  });

  it('when a member that leads is sent a command, then it carries it out once under its id', async () => {
    cluster = await Cluster.open();
    const request = {
      collection: 'services',
      method: 'create',
      args: [{ name: 'web', task: { image: 'web' } }],
      options: { commandId: 'one', user: 'ann' },
    };
    const first = await cluster.carryOut(request);
    const again = await cluster.carryOut(request);
    expect(again.result).toMatchObject({ id: cluster.services.inspect('web').id });
    expect(cluster.services.list()).toHaveLength(1);
    expect(first.index).toBeGreaterThanOrEqual(cluster.services.inspect('web').version);
  });

  it('when it is sent something that is no command, then that is refused', async () => {
    cluster = await Cluster.open();
    const options = { commandId: 'one' };
    const wrong = [
      { collection: 'services', method: 'constructor', args: [], options },
      { collection: 'services', method: 'inspect', args: ['web'], options },
      { collection: '__proto__', method: 'toString', args: [], options },
      { collection: 'services', method: 'remove', args: ['web', 'more'], options },
    ];
    for (const request of wrong) {
      await expect(cluster.carryOut(request)).rejects.toThrow(InvalidSpecError);
    }
  });
});

describe('given sealed records', () => {
  const bytes = (text: string) => new TextEncoder().encode(text);

  it('when one is replaced by who has seen the present one, then it is; by others, then it is not', async () => {
    cluster = await Cluster.open();
    const heard: string[] = [];
    cluster.records.onChange('a', () => heard.push('changed'));
    await cluster.records.replace('a', undefined, bytes('first'));
    await expect(cluster.records.replace('a', undefined, bytes('other'))).rejects.toThrow(PreconditionError);
    await cluster.records.replace('a', bytes('first'), bytes('second'));
    expect(cluster.records.get('a')).toEqual(bytes('second'));
    expect(cluster.records.get('b')).toBeUndefined();
    expect(heard).toEqual(['changed', 'changed']);
  });

  it('when a cluster is watched, then nothing of them is seen', async () => {
    cluster = await Cluster.open();
    await cluster.records.replace('a', undefined, bytes('nobody may see this'));
    const seen: unknown[] = [];
    cluster.watch().subscribe((event) => seen.push(event));
    await cluster.records.replace('a', bytes('nobody may see this'), bytes('nor this'));
    expect(JSON.stringify(seen)).not.toContain('record');
    expect(JSON.stringify(seen)).not.toContain(String(bytes('nor this')));
  });
});

describe('given nodes with roles', () => {
  it('when a node joins under an id, then it has it, once', async () => {
    cluster = await Cluster.open();
    const id = await cluster.nodes.join({ hostname: 'one', address: '10.0.0.1', role: 'manager' });
    await expect(cluster.nodes.join({ id, hostname: 'two', address: '10.0.0.2' })).rejects.toThrow(
      PreconditionError,
    );
    expect(cluster.nodes.inspect('one')).toMatchObject({ id, spec: { role: 'manager' } });
  });

  it('when managers are demoted, then the last one stays', async () => {
    cluster = await Cluster.open();
    const one = await cluster.nodes.join({ hostname: 'one', address: '10.0.0.1', role: 'manager' });
    const two = await cluster.nodes.join({ hostname: 'two', address: '10.0.0.2' });
    await expect(cluster.nodes.demote(one)).rejects.toThrow('last manager');
    await cluster.nodes.promote(two);
    await cluster.nodes.demote(one);
    expect(cluster.nodes.list({ role: 'manager' }).map(({ id }) => id)).toEqual([two]);
  });
});
