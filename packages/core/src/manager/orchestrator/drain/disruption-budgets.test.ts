import { expect, test } from 'vitest';
import type { ServiceId } from '../../../model/ids.ts';
import { aCluster } from '../../../testing/state-builder.ts';
import { DisruptionBudgets } from './disruption-budgets.ts';

const WEB = 'web' as ServiceId;

test('given an update that stops a task, when a move asks in the same turn, then it has to wait', () => {
  const { state } = aCluster()
    .withNodes(3)
    .withService({ name: 'web', replicas: 3 })
    .withRunning('web', ['node-1', 'node-2', 'node-3']);
  const service = state.service(WEB) ?? expect.fail('no service');
  const budgets = new DisruptionBudgets();
  budgets.beginTurn();
  budgets.stopped(WEB);
  expect(budgets.take(service, 2, state)).toBe(false);
  budgets.beginTurn();
  expect(budgets.take(service, 2, state)).toBe(true);
  expect(budgets.take(service, 3, state)).toBe(false);
});
