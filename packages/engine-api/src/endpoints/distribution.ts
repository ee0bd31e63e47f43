/** `/distribution`: what a registry says of an image. Clients take any refusal as a warning, and go on. */

import type { Route } from '../server/engine-server.ts';
import { Refusal } from '../server/refusal.ts';

/** The route, for a node without an engine. */
export function distributionRoutes(): readonly Route[] {
  return [
    [
      'GET',
      '/distribution/*',
      () => {
        throw new Refusal(501, 'looking images up in a registry needs an engine below this node');
      },
    ],
  ];
}
