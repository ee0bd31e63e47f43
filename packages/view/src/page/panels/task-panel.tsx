/** A task: its life as its state machine, why it is where it is, and what it prints. */

import { TASK_STATES } from '@skep/core';
import { useEffect, useRef, useState } from 'preact/hooks';
import type { TaskDetail } from '../../source/view-source.ts';
import type { ViewStore } from '../client/view-store.ts';
import { clockTime } from '../in-words.ts';
import { errorInWords, useAnswer } from '../use-answer.ts';
import { useStore } from '../use-store.ts';
import { Panel } from './panel.tsx';

interface Props {
  readonly store: ViewStore;
  readonly id: string;
  readonly onClose: () => void;
  readonly onService: (id: string) => void;
}

/** Most characters of output that are kept in sight. */
const OUTPUT_MAX = 60_000;

export function TaskPanel({ store, id, onClose, onService }: Props) {
  useStore(store);
  const row = store.shown.tasks.get(id);
  const key = `${id} ${row?.state} ${row?.desired}`;
  const asked = useAnswer(key, (signal) => store.source.task(id, signal));
  const name = row && store.shown.services.get(row.service)?.name;
  const title = row === undefined ? id.slice(0, 12) : `${name ?? row.service}.${row.slot || id.slice(0, 6)}`;
  return (
    <Panel title={`Task ${title}`} onClose={onClose}>
      {asked.kind === 'failed' ? <p class="bad">{asked.message}</p> : null}
      {asked.kind === 'answer' ? (
        <Detail
          task={asked.value}
          serviceName={name ?? asked.value.service}
          at={store.isPast ? store.shown.index : undefined}
          onService={onService}
        />
      ) : null}
      <h3>Output</h3>
      <Output store={store} id={id} />
    </Panel>
  );
}

interface DetailProps {
  readonly task: TaskDetail;
  /** As it was called at the moment that is looked at. */
  readonly serviceName: string;
  /** The moment that is looked at; undefined: now. */
  readonly at: number | undefined;
  readonly onService: (id: string) => void;
}

function Detail({ task, serviceName, at, onService }: DetailProps) {
  const life = task.life.filter(({ index }) => at === undefined || index === undefined || index <= at);
  const reached = new Set(life.map(({ state }) => state));
  const last = life.at(-1);
  const { explanation } = task;
  return (
    <>
      <dl>
        <dt>service</dt>
        <dd>
          <button type="button" class="link" onClick={() => onService(task.serviceId)}>
            {serviceName}
          </button>
        </dd>
        <dt>image</dt>
        <dd>{task.image}</dd>
        <dt>node</dt>
        <dd>{task.node?.name ?? 'none'}</dd>
        {task.runtime === undefined ? null : (
          <>
            <dt>runs as</dt>
            <dd>{task.runtime}</dd>
          </>
        )}
        {task.ports.map((port) => (
          <>
            <dt>listens at</dt>
            <dd>{port}</dd>
          </>
        ))}
      </dl>
      <h3>Its life</h3>
      <ol class="machine">
        {TASK_STATES.map((state) => (
          <li
            key={state}
            class={reached.has(state) ? 'reached' : ''}
            aria-current={last?.state === state ? 'step' : undefined}
          >
            {state}
          </li>
        ))}
      </ol>
      <ol class="steps">
        {life.map((step, number) => (
          <li key={number}>
            <strong>{step.state}</strong> at {clockTime(step.at)}{' '}
            <span class="quiet">
              {step.message}
              {step.actor === undefined ? '' : ` (${step.actor})`}
              {step.desired === 'running' ? '' : `; it should be ${step.desired}`}
            </span>
          </li>
        ))}
      </ol>
      {explanation === undefined || at !== undefined ? null : (
        <>
          <h3>Why it is there</h3>
          <p>{explanation.message}</p>
          <ul class="steps">
            {explanation.decision?.candidates.map(({ nodeId, name, serviceTasks, tasks }) => (
              <li key={nodeId}>
                {name}: {serviceTasks} tasks of this service, {tasks} in all
              </li>
            ))}
            {explanation.decision?.rejected.map(({ filter, nodes }) => (
              <li key={filter} class="quiet">
                {filter} turned {nodes} nodes away
              </li>
            ))}
            {explanation.remedies.map(({ message }) => (
              <li key={message}>{message}</li>
            ))}
          </ul>
        </>
      )}
    </>
  );
}

interface OutputProps {
  readonly store: ViewStore;
  readonly id: string;
}

function Output({ store, id }: OutputProps) {
  const [lines, setLines] = useState<readonly { readonly stream: string; readonly text: string }[]>([]);
  const box = useRef<HTMLDivElement>(null);
  useEffect(() => {
    const ending = new AbortController();
    const follow = async () => {
      setLines([]);
      for await (const piece of store.source.logs(id, ending.signal)) {
        setLines((before) => {
          const all = [...before, piece];
          let size = all.reduce((sum, { text }) => sum + text.length, 0);
          while (size > OUTPUT_MAX && all.length > 1) size -= all.shift()?.text.length ?? 0;
          return all;
        });
        if (box.current) box.current.scrollTop = box.current.scrollHeight;
      }
    };
    follow().catch((error: unknown) => {
      if (!ending.signal.aborted)
        setLines((before) => [...before, { stream: 'stderr', text: errorInWords(error) }]);
    });
    return () => ending.abort();
  }, [store, id]);
  return (
    <div class="logs" ref={box} role="log" aria-label="Output of the task">
      {lines.length === 0 ? <span class="quiet">nothing yet</span> : null}
      {lines.map(({ stream, text }, at) => (
        <span key={at} class={stream}>
          {text}
        </span>
      ))}
    </div>
  );
}
