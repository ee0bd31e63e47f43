/** A node: what it is, its tasks, and what would come of its drain or its loss. */

import type { ViewStore } from '../client/view-store.ts';
import type { Ghosts } from '../ghosts.ts';
import { useStore } from '../use-store.ts';
import { WhatIf } from '../what-if.tsx';
import { Panel } from './panel.tsx';

interface Props {
  readonly store: ViewStore;
  readonly id: string;
  readonly ghosts: Ghosts | undefined;
  readonly onGhosts: (ghosts: Ghosts | undefined) => void;
  readonly onTask: (id: string) => void;
  readonly onClose: () => void;
}

const GIB = 2 ** 30;

export function NodePanel({ store, id, ghosts, onGhosts, onTask, onClose }: Props) {
  useStore(store);
  const node = store.shown.nodes.get(id);
  const tasks = [...store.shown.tasks.values()].filter((task) => task.node === id);
  return (
    <Panel title={`Node ${node?.name ?? id}`} onClose={onClose}>
      {node === undefined ? (
        <p class="quiet">It is not there at this moment.</p>
      ) : (
        <dl>
          <dt>state</dt>
          <dd>
            {node.state} {node.message}
          </dd>
          <dt>availability</dt>
          <dd>{node.availability}</dd>
          <dt>address</dt>
          <dd>{node.address}</dd>
          <dt>runs tasks by</dt>
          <dd>{node.driver}</dd>
          <dt>has</dt>
          <dd>
            {node.cpus} processors, {(node.memoryBytes / GIB).toFixed(1)} GiB
          </dd>
          {Object.entries(node.labels).map(([name, value]) => (
            <>
              <dt>{name}</dt>
              <dd>{value}</dd>
            </>
          ))}
        </dl>
      )}
      {node === undefined || store.isPast ? null : (
        <WhatIf
          store={store}
          ghosts={ghosts}
          onGhosts={onGhosts}
          actions={[
            { label: 'Drain', action: { kind: 'drain', node: id } },
            { label: 'Lose', action: { kind: 'lose', node: id } },
            ...(node.availability === 'active'
              ? []
              : [{ label: 'Activate', action: { kind: 'activate', node: id } as const }]),
          ]}
        />
      )}
      <h3>Tasks</h3>
      <ul class="steps">
        {tasks.slice(0, 300).map((task) => (
          <li key={task.id}>
            <button type="button" class="link" onClick={() => onTask(task.id)}>
              {store.shown.services.get(task.service)?.name ?? task.service}
              {task.slot === 0 ? '' : `.${task.slot}`}
            </button>{' '}
            <span class="quiet">
              {task.state} {task.error}
            </span>
          </li>
        ))}
      </ul>
    </Panel>
  );
}
