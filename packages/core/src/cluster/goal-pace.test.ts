import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createAllocator } from '../manager/allocator/allocator.ts';
import { createReplicatedOrchestrator } from '../manager/orchestrator/replicated.ts';
import { createTaskReaper } from '../manager/orchestrator/task-reaper.ts';
import { asId, type ServiceId } from '../model/ids.ts';
import { serviceSpecSchema } from '../model/service-spec.ts';
import type { ChangeSet } from '../state/change.ts';
import type { ClusterState } from '../state/cluster-state.ts';
import { LoopHarness } from '../testing/loop-harness.ts';
import { aCluster } from '../testing/state-builder.ts';
import { GoalPace } from './goal-pace.ts';
import { lookAtGoal } from './service-goals.ts';

const WEB = asId<ServiceId>('web');
const GOALS = ['running', 'updated', 'removed'] as const;

const step = fc.oneof(
  fc.record({ kind: fc.constant('scale' as const), to: fc.nat(12) }),
  fc.record({ kind: fc.constant('image' as const), to: fc.nat(3) }),
  fc.record({ kind: fc.constant('fail' as const), which: fc.nat(20) }),
  fc.record({ kind: fc.constant('node' as const), to: fc.constantFrom('down' as const, 'ready' as const) }),
  fc.record({ kind: fc.constant('time' as const), ms: fc.nat(10_000) }),
);

describe('given somebody who waits for a service and looks only when it can have come', () => {
  it('when anything happens, then nothing is passed by that had come', () => {
    let looks = 0;
    let passedBy = 0;
    fc.assert(
      fc.property(fc.array(step, { maxLength: 10 }), fc.nat(3), (steps, parallelism) => {
        const spec = (replicas: number, image: string) =>
          serviceSpecSchema.parse({ name: 'web', replicas, update: { parallelism }, task: { image } });
        const cluster = aCluster().withNodes(2).withService(spec(6, 'v0'));
        const paces = GOALS.map((goal) => ({ goal, pace: new GoalPace(WEB, goal), isOpen: true }));
        const look = ({ goal, pace }: (typeof paces)[number], state: ClusterState) => {
          const found = lookAtGoal(state, WEB, 'web', goal);
          pace.looked(found);
          return found.reached === undefined && found.failure === undefined;
        };
        const onTransaction = (changes: ChangeSet, state: ClusterState) => {
          for (const each of paces) {
            if (each.pace.concerns(changes)) {
              looks += 1;
              each.isOpen = look(each, state);
              continue;
            }
            passedBy += 1;
            // Whoever has what was waited for waits no more.
            if (!each.isOpen || !changes.changes.some(({ kind }) => kind === 'task')) continue;
            const { reached, failure } = lookAtGoal(state, WEB, 'web', each.goal);
            expect([each.goal, reached, failure]).toEqual([each.goal, undefined, undefined]);
          }
        };
        const loops = [createReplicatedOrchestrator(), createAllocator(), createTaskReaper()];
        for (const each of paces) each.isOpen = look(each, cluster.state);
        const harness = new LoopHarness(cluster, loops, { onTransaction });
        harness.settle();
        for (const each of steps) {
          const service = cluster.state.service(WEB);
          const { replicas = 1, task } = service?.spec ?? spec(1, 'v0');
          if (each.kind === 'scale' || each.kind === 'image') {
            const next =
              each.kind === 'scale' ? spec(each.to, task.image ?? '') : spec(replicas, `v${each.to}`);
            const tasksChanged = next.task.image !== task.image;
            harness.apply({
              type: 'service.updated',
              id: WEB,
              spec: next,
              tasksChanged,
              portsChanged: false,
            });
          } else if (each.kind === 'node') cluster.withNodeState('node-2', each.to);
          else if (each.kind === 'time') harness.settleFor(each.ms);
          else {
            const running = [...cluster.state.tasks()].filter(({ status }) => status.state === 'running');
            const task = running[each.which % Math.max(1, running.length)];
            if (task) harness.report([task], 'failed');
          }
          harness.settle();
        }
      }),
    );
    expect(passedBy).toBeGreaterThan(looks / 4);
  });
});
