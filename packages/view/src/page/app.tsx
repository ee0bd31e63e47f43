/** The page: the same over a server and over a cluster in this tab. */

import type { ComponentChildren } from 'preact';
import { useState } from 'preact/hooks';
import type { ViewStore } from './client/view-store.ts';
import type { Ghosts } from './ghosts.ts';
import { Grid } from './grid/grid.tsx';
import { counted, dateTime } from './in-words.ts';
import { NodePanel } from './panels/node-panel.tsx';
import { ServicePanel } from './panels/service-panel.tsx';
import { TaskPanel } from './panels/task-panel.tsx';
import { Managers, Networks, Nodes, Services } from './tables.tsx';
import { TimeBar } from './time-bar.tsx';
import { useStore } from './use-store.ts';

interface Props {
  readonly store: ViewStore;
  /** What a page has beside all this: the buttons of a playground. */
  readonly children?: ComponentChildren;
}

type Open = { readonly kind: 'task' | 'service' | 'node'; readonly id: string };

export function App({ store, children }: Props) {
  const [open, setOpen] = useState<Open>();
  const [ghosts, setGhosts] = useState<Ghosts>();
  const [fault, setFault] = useState<string>();
  const close = () => {
    setOpen(undefined);
    setGhosts(undefined);
  };
  const pick = (picked: Open) => {
    setGhosts(undefined);
    setOpen(picked);
  };
  return (
    <>
      <Top store={store} />
      {fault === undefined ? null : (
        <div class="notice" role="alert">
          {fault}
        </div>
      )}
      {children}
      <TimeBar store={store} onFault={setFault} />
      <Body store={store}>
        <div class="column">
          <Grid store={store} ghosts={ghosts} onPick={pick} />
          <Services store={store} onPick={pick} />
        </div>
        <div class="column">
          <Managers store={store} />
          <Nodes store={store} onPick={pick} />
          <Networks store={store} />
        </div>
      </Body>
      {open?.kind === 'task' ? (
        <TaskPanel
          key={open.id}
          store={store}
          id={open.id}
          onClose={close}
          onService={(id) => pick({ kind: 'service', id })}
        />
      ) : null}
      {open?.kind === 'service' ? (
        <ServicePanel
          key={open.id}
          {...{ store, id: open.id, ghosts }}
          onGhosts={setGhosts}
          onClose={close}
        />
      ) : null}
      {open?.kind === 'node' ? (
        <NodePanel
          key={open.id}
          {...{ store, id: open.id, ghosts }}
          onGhosts={setGhosts}
          onTask={(id) => pick({ kind: 'task', id })}
          onClose={close}
        />
      ) : null}
    </>
  );
}

function Body({ store, children }: Props) {
  useStore(store);
  return <main class={`main${store.isPast ? ' past' : ''}${store.isStale ? ' stale' : ''}`}>{children}</main>;
}

function Top({ store }: Props) {
  useStore(store);
  const { shown, link, status } = store;
  const running = [...shown.services.values()].reduce((sum, service) => sum + service.running, 0);
  const desired = [...shown.services.values()].reduce((sum, service) => sum + service.desired, 0);
  return (
    <>
      <header class="top">
        <h1>Skep</h1>
        <span role="status" data-link={store.isPast ? 'past' : link.kind}>
          <Badge store={store} />
        </span>
        <span>
          {counted(shown.nodes.size, 'node')}, {counted(shown.services.size, 'service')}, {running}/{desired}{' '}
          tasks run
        </span>
        <span class="grow quiet">{dateTime(shown.at)}</span>
        <button type="button" onClick={switchTheme} aria-label="Light or dark">
          ◐
        </button>
      </header>
      {link.kind === 'lost' ? (
        <div class="notice" role="alert">
          The stream has dropped ({link.why}). What is shown was so at event {shown.index}; trying again.
        </div>
      ) : null}
      {link.kind === 'live' && status?.hasLeader === false ? (
        <div class="notice" role="alert">
          No manager leads just now, so nothing is decided, and what is shown may be old.
        </div>
      ) : null}
    </>
  );
}

function Badge({ store }: Props) {
  if (store.isPast) return <span class="badge past">the past: event {store.shown.index}</span>;
  switch (store.link.kind) {
    case 'live':
      return store.isStale ? (
        <span class="badge lost">no leader</span>
      ) : (
        <span class="badge live">live, event {store.shown.index}</span>
      );
    case 'connecting':
      return <span class="badge">connecting</span>;
    case 'lost':
      return <span class="badge lost">not live: event {store.shown.index}</span>;
  }
}

function switchTheme(): void {
  const root = document.documentElement;
  const isDark =
    root.dataset['theme'] === undefined
      ? matchMedia('(prefers-color-scheme: dark)').matches
      : root.dataset['theme'] === 'dark';
  root.dataset['theme'] = isDark ? 'light' : 'dark';
  document.dispatchEvent(new Event('skep-theme'));
}
