/** The page of a server. */

import { render } from 'preact';
import { App } from './app.tsx';
import { HttpSource } from './client/http-source.ts';
import { ViewStore } from './client/view-store.ts';
import { takeToken } from './place.ts';

const root = document.getElementById('view');
if (root !== null) {
  const store = new ViewStore(new HttpSource(takeToken()));
  render(<App store={store} />, root);
  void store.begin();
}
