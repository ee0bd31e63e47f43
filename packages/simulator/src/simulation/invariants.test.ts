/** Rules that no event can break, since the state itself keeps them: here they are shown a state that does not. */

import type { ChangeSet, Task } from '@skep/core';
import { Tally } from '@skep/raft/simulator';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { SimulatedCluster } from '../simulated-cluster.ts';
import { checkTransaction } from './invariants.ts';
import { SECRET_MARK } from './user.ts';

describe('given a task that runs', () => {
  let sim: SimulatedCluster;
  let seen: ChangeSet;
  let task: Task;

  beforeAll(async () => {
    sim = await SimulatedCluster.open({ managers: 1, workers: 2 });
    sim.onTransaction((changes) => {
      seen = changes;
    });
    await sim.run(sim.cluster.services.create({ name: 'web', task: { image: 'web' } }));
    await sim.until(() => sim.cluster.services.status('web').converged);
    const [running] = sim.state.tasks();
    task = running ?? expect.unreachable();
  });
  afterAll(() => sim.close());

  const look = (before: Task, after: Task) => () =>
    checkTransaction({ ...seen, changes: [{ kind: 'task', before, after }] }, sim.state, new Tally());
  const observed = (state: Task['status']['state'], message = '') => ({
    ...task,
    status: { ...task.status, state, message },
  });

  it('when it goes on as it should, then no rule is broken', () => {
    expect(look(observed('starting'), task)).not.toThrow();
    expect(look(task, { ...task, desiredState: 'remove' })).not.toThrow();
  });

  it('when its observed state goes back, then that is found', () => {
    expect(look(task, observed('preparing'))).toThrow('was observed preparing after it was running');
    expect(look(observed('failed'), task)).toThrow('was observed running after it was failed');
  });

  it('when its desired state goes back, then that is found', () => {
    const wanted = (desiredState: Task['desiredState']) => ({ ...task, desiredState });
    expect(look(wanted('shutdown'), task)).toThrow('is wanted running after it was wanted shutdown');
    expect(look(wanted('remove'), wanted('shutdown'))).toThrow(
      'is wanted shutdown after it was wanted remove',
    );
  });

  it('when it changes its node, or its status tells a secret, then that is found', () => {
    const other = [...sim.state.nodes()].find(({ id }) => id !== task.nodeId);
    expect(look(task, { ...task, nodeId: other?.id ?? expect.unreachable() })).toThrow('moved from node');
    expect(look(task, observed('running', `with ${SECRET_MARK}`))).toThrow('tells a secret');
  });
});
