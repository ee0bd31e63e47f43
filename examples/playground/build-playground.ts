/** Puts the playground together: the page and the whole cluster in one script. */

import { join } from 'node:path';
import { buildPage } from '../../packages/view/build-page.ts';

/** Writes its files to a directory. */
export function buildPlayground(dir: string): Promise<void> {
  const here = import.meta.dirname;
  return buildPage(dir, {
    entry: join(here, 'page.tsx'),
    alias: { re2js: join(here, 'native-patterns.ts') },
  });
}
