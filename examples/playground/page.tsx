/** The page of the playground: the view, over a cluster that lives in this tab. Nothing is asked of a server. */

import { render } from 'preact';
import { App } from '../../packages/view/src/page/app.tsx';
import { ViewStore } from '../../packages/view/src/page/client/view-store.ts';
import { Controls } from './controls.tsx';
import { Playground } from './playground.ts';

const root = document.getElementById('view');

async function show(into: HTMLElement): Promise<void> {
  into.textContent = 'A cluster of three managers and five workers is brought up in this tab…';
  const playground = await Playground.open({ managers: 3, workers: 5 });
  const store = new ViewStore(playground.source);
  into.textContent = '';
  render(
    <App store={store}>
      <Controls playground={playground} />
    </App>,
    into,
  );
  await store.begin();
}

if (root !== null) {
  show(root).catch((error: unknown) => {
    root.textContent = `The playground has failed: ${error instanceof Error ? error.message : String(error)}`;
  });
}
