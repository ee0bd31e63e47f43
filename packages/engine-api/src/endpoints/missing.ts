/**
 * What a node without an engine has none of. Lists are empty, and whatever is named is not found: `docker inspect` asks
 * for all of these before it asks for a service.
 */

import type { Route } from '../server/engine-server.ts';
import type { Endpoint } from '../server/exchange.ts';
import { ok } from '../server/exchange.ts';
import { Refusal } from '../server/refusal.ts';

/** The routes of what is not there. */
export function missingRoutes(): readonly Route[] {
  const none =
    (what: string, suffix = ''): Endpoint =>
    (exchange) => {
      throw new Refusal(404, `${what}${exchange.param('id')}${suffix}`);
    };
  return [
    ['GET', '/containers/json', () => ok([])],
    ['GET', '/containers/:id/json', none('No such container: ')],
    ['GET', '/images/json', () => ok([])],
    ['GET', '/images/:id/json', none('No such image: ')],
    ['GET', '/volumes', () => ok({ Volumes: [], Warnings: null })],
    ['GET', '/volumes/:id', none('volume ', ' not found')],
    ['GET', '/plugins', () => ok([])],
    ['GET', '/plugins/:id/json', none('plugin not found: ')],
  ];
}
