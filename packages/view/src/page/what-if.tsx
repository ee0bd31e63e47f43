/** What would come of it, before anyone does it; and, for those who may, doing it. */

import type { ComponentChildren } from 'preact';
import { useState } from 'preact/hooks';
import type { ViewAction } from '../source/view-source.ts';
import type { ViewStore } from './client/view-store.ts';
import { type Ghosts, ghostsOf, planInWords } from './ghosts.ts';
import { errorInWords } from './use-answer.ts';

interface Props {
  readonly store: ViewStore;
  readonly ghosts: Ghosts | undefined;
  readonly onGhosts: (ghosts: Ghosts | undefined) => void;
  readonly actions: readonly { readonly label: string; readonly action: ViewAction }[];
  readonly children?: ComponentChildren;
}

export function WhatIf({ store, ghosts, onGhosts, actions, children }: Props) {
  const [fault, setFault] = useState<string>();
  const mayAct = store.status?.actions === true;
  const ask = (work: Promise<unknown>) => {
    setFault(undefined);
    work.catch((error: unknown) => setFault(errorInWords(error)));
  };
  const plan = (action: ViewAction) =>
    ask(store.source.plan(action).then((planned) => onGhosts(ghostsOf(action, planned))));
  const act = (action: ViewAction) => ask(store.source.act(action).then(() => onGhosts(undefined)));
  return (
    <section aria-label="What if">
      <h3>What if</h3>
      <div class="what-if">
        {actions.map(({ label, action }) => (
          <span key={label}>
            {action.kind === 'activate' ? null : (
              <button type="button" onClick={() => plan(action)}>
                {label}?
              </button>
            )}{' '}
            {mayAct && action.kind !== 'lose' ? (
              <button type="button" onClick={() => act(action)}>
                {label} now
              </button>
            ) : null}
          </span>
        ))}
        {children}
        {ghosts === undefined ? null : (
          <button type="button" onClick={() => onGhosts(undefined)}>
            Clear
          </button>
        )}
      </div>
      {fault === undefined ? null : <p class="bad">{fault}</p>}
      {ghosts === undefined ? null : (
        <p class="ghost" role="status">
          {planInWords(ghosts)}
        </p>
      )}
    </section>
  );
}
