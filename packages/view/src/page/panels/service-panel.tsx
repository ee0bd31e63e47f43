/** A service: its diagnosis, its history, and what would come of another number of replicas. */

import { useState } from 'preact/hooks';
import type { ViewStore } from '../client/view-store.ts';
import type { Ghosts } from '../ghosts.ts';
import { dateTime } from '../in-words.ts';
import { ChangeList } from '../time-bar.tsx';
import { useAnswer } from '../use-answer.ts';
import { useStore } from '../use-store.ts';
import { WhatIf } from '../what-if.tsx';
import { Panel } from './panel.tsx';

interface Props {
  readonly store: ViewStore;
  readonly id: string;
  readonly ghosts: Ghosts | undefined;
  readonly onGhosts: (ghosts: Ghosts | undefined) => void;
  readonly onClose: () => void;
}

export function ServicePanel({ store, id, ghosts, onGhosts, onClose }: Props) {
  useStore(store);
  const row = store.shown.services.get(id);
  const [replicas, setReplicas] = useState(row?.desired ?? 1);
  const key = `${id} ${row?.running} ${row?.desired} ${row?.update?.state}`;
  const asked = useAnswer(key, (signal) => store.source.service(id, signal));
  const detail = asked.kind === 'answer' ? asked.value : undefined;
  const diagnosis = detail?.diagnosis;
  return (
    <Panel title={`Service ${row?.name ?? detail?.name ?? id}`} onClose={onClose}>
      {asked.kind === 'failed' ? <p class="bad">{asked.message}</p> : null}
      {row === undefined ? (
        <p class="quiet">It is not there at this moment.</p>
      ) : (
        <p>
          {row.running} of {row.desired} tasks run {row.image}
        </p>
      )}
      {row === undefined || row.mode !== 'replicated' || store.isPast ? null : (
        <WhatIf
          store={store}
          ghosts={ghosts}
          onGhosts={onGhosts}
          actions={[{ label: 'Scale', action: { kind: 'scale', service: id, replicas } }]}
        >
          <label>
            to{' '}
            <input
              type="number"
              min={0}
              value={replicas}
              onInput={(event) => setReplicas(Math.max(0, Math.round(Number(event.currentTarget.value))))}
            />
          </label>
        </WhatIf>
      )}
      {diagnosis === undefined || store.isPast ? null : (
        <>
          <h3>Diagnosis</h3>
          {diagnosis.settled ? <p class="good">All is as asked for.</p> : null}
          <ul class="steps">
            {[...diagnosis.findings, ...diagnosis.tasks].map(({ code, message, remedy }, at) => (
              <li key={`${code} ${at}`}>
                <strong>{code}</strong> {message}
                {remedy === undefined ? null : <span class="quiet"> — {remedy}</span>}
              </li>
            ))}
          </ul>
        </>
      )}
      <h3>History</h3>
      <ol class="steps" reversed>
        {(detail?.history ?? [])
          .filter(({ index }) => !store.isPast || index <= store.shown.index)
          .toReversed()
          .map((transaction) => (
            <li key={transaction.index}>
              <a href={`#at=${transaction.index}`}>event {transaction.index}</a>{' '}
              <strong>{transaction.actor}</strong> <span class="quiet">{dateTime(transaction.at)}</span>
              <ChangeList transaction={transaction} />
            </li>
          ))}
      </ol>
    </Panel>
  );
}
