import { describe, expect, it } from 'vitest';
import { seededRandom } from '../runtime/random.ts';
import { SimulatedClock } from '../testing/simulated-clock.ts';
import { SimulatedDriver } from '../testing/simulated-driver.ts';
import { SimulatedHost } from '../testing/simulated-host.ts';
import { Cluster } from './cluster.ts';

const bytes = (text: string) => new TextEncoder().encode(text);

/** A cluster in virtual time with a secret, a config, and a service that uses both. */
async function given(replicas = 2) {
  const clock = new SimulatedClock();
  const host = new SimulatedHost({ clock, random: seededRandom(2) });
  const run = <T>(work: Promise<T>) => clock.run(work, { limitMs: 600_000 });
  const driver = new SimulatedDriver({ host });
  const node = { hostname: 'bee' };
  const cluster = await run(Cluster.open({ clock, random: seededRandom(1), driver, node }));
  await run(cluster.secrets.create({ name: 'password' }, bytes('first')));
  await run(cluster.configs.create({ name: 'settings', template: true }, bytes('on {{.Node.Hostname}}')));
  const task = { image: 'web', secrets: [{ name: 'password' }], configs: [{ name: 'settings' }] };
  await run(cluster.services.create({ name: 'web', replicas, task }));
  await run(cluster.services.waitFor('web', 'running'));
  /** What the running tasks were given under a name, each value once. */
  const given = (name: string) => {
    const running = cluster.tasks.list({ service: 'web', state: 'running' });
    const files = running.flatMap(({ id }) => host.runtime(id)?.task.files ?? []);
    return [...new Set(files.filter((file) => file.name === name).map(({ data }) => text(data)))];
  };
  return { cluster, clock, host, run, given };
}

const text = (data: Uint8Array) => new TextDecoder().decode(data);

describe('given a service with a secret and a config', () => {
  it('when the secret is rotated, then the service rolls over to the new value', async () => {
    const { cluster, run, given: read } = await given();
    const rotated = await run(cluster.secrets.rotate('password', bytes('second')));
    expect(rotated).toMatchObject({ revision: 2, changed: true });
    expect(rotated.services).toEqual([cluster.services.inspect('web').id]);
    await run(cluster.services.waitFor('web', 'running'));
    expect(read('password')).toEqual(['second']);
    expect(cluster.secrets.inspect('password')).toMatchObject({ revision: 2, older: [{ revision: 1 }] });
    await run(cluster.close());
  });

  it('when it goes back to the spec before, then it has the value before', async () => {
    const { cluster, run, given: read } = await given();
    const { spec } = cluster.services.inspect('web');
    await run(cluster.secrets.rotate('password', bytes('second')));
    await run(cluster.services.update('web', spec));
    await run(cluster.services.waitFor('web', 'running'));
    expect(read('password')).toEqual(['first']);
    await run(cluster.close());
  });

  it('when rotated to the same value, then nothing changes', async () => {
    const { cluster, run } = await given();
    const before = cluster.services.inspect('web').version;
    expect(await run(cluster.secrets.rotate('password', bytes('first')))).toMatchObject({
      revision: 1,
      changed: false,
      services: [],
    });
    expect(cluster.services.inspect('web').version).toBe(before);
    await run(cluster.close());
  });

  it('when older values are pruned, then those that nobody can go back to are forgotten', async () => {
    const { cluster, run } = await given();
    await run(cluster.secrets.rotate('password', bytes('second')));
    await run(cluster.services.waitFor('web', ({ update }) => update?.state === 'completed'));
    // The service can still go back to the first.
    expect(await run(cluster.secrets.prune('password'))).toEqual([]);
    await run(cluster.secrets.rotate('password', bytes('third')));
    await run(cluster.services.waitFor('web', 'running'));
    expect(await run(cluster.secrets.prune('password'))).toEqual([1]);
    expect(cluster.secrets.inspect('password').older.map(({ revision }) => revision)).toEqual([2]);
    await run(cluster.services.remove('web'));
    await run(cluster.services.waitFor('web', 'removed'));
    expect(await run(cluster.secrets.prune('password'))).toEqual([2]);
    await run(cluster.close());
  });

  it('when it refers to a revision that is not there, then that is refused by name', async () => {
    const { cluster, run } = await given();
    const task = { image: 'web', secrets: [{ name: 'password', revision: 7 }] };
    await expect(run(cluster.services.create({ name: 'other', task }))).rejects.toMatchObject({
      code: 'INVALID_SPEC',
      issues: [
        { field: 'task.secrets[0].revision', rule: "secret 'password' has no revision 7: its newest is 1" },
      ],
    });
    await run(cluster.close());
  });

  it('when the config is rotated, then its template is filled in for each task', async () => {
    const { cluster, run, given: read } = await given();
    expect(read('settings')).toEqual(['on bee']);
    await run(cluster.configs.rotate('settings', bytes('{{.Service.Name}} {{secret "password"}}')));
    await run(cluster.services.waitFor('web', 'running'));
    expect(read('settings')).toEqual(['web first']);
    await run(cluster.close());
  });

  it('when new content is no template, then it is refused, and the refusal quotes nothing of it', async () => {
    const { cluster, run } = await given();
    await expect(run(cluster.configs.rotate('settings', bytes('{{hunter2}}')))).rejects.toMatchObject({
      code: 'INVALID_SPEC',
      message: expect.not.stringContaining('hunter2'),
    });
    expect(cluster.configs.inspect('settings').revision).toBe(1);
    await run(cluster.close());
  });

  it('when a command is sent again under its id, then it is carried out once', async () => {
    const { cluster, run } = await given();
    for (const changed of [true, false]) {
      const options = { commandId: 'rotate-once' };
      expect(await run(cluster.secrets.rotate('password', bytes('second'), options))).toMatchObject({
        revision: 2,
        changed,
      });
    }
    await run(cluster.close());
  });
});
