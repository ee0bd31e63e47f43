/** `/events`: what happens in the swarm, as it happens, and before that as far back as history goes. */

import { once } from 'node:events';
import { type Clock, type Cluster, isSkepError } from '@skep/core';
import type { Filters } from '../json/filters.ts';
import type { Route } from '../server/engine-server.ts';
import type { Exchange } from '../server/exchange.ts';
import { eventLine, type ObjectChange, type SwarmEvent, swarmEventOf } from '../translate/swarm-event.ts';
import type { ApiContext } from './context.ts';
import { secondsOf } from './logs.ts';

const FILTERS = [
  ...['type', 'event', 'scope', 'service', 'node', 'secret', 'config', 'network'],
  ...['label', 'container', 'image', 'volume', 'plugin', 'daemon'],
];
/** Objects by which events can be filtered. */
const OBJECTS = [
  'service',
  'node',
  'secret',
  'config',
  'network',
  'container',
  'image',
  'volume',
  'plugin',
  'daemon',
];

/** The route of events. */
export function eventRoutes({ membership, clock }: ApiContext): readonly Route[] {
  return [
    [
      'GET',
      '/events',
      async (exchange) => {
        const filters = exchange.filters(FILTERS);
        const range = rangeOf(exchange);
        const { standing } = membership;
        exchange.response.writeHead(200, { 'Content-Type': 'application/json' });
        exchange.response.flushHeaders();
        const isOver = range.until !== undefined && range.until <= clock.now();
        const ended = isOver ? exchange.signal : endOf(range.until, exchange, clock);
        try {
          if (standing.kind === 'manager') {
            await tell(standing.manager.cluster, { exchange, filters, range, ended, isOver });
          }
          // Elsewhere nothing is known of the swarm.
          else if (!isOver) await untilAborted(ended);
        } catch (error) {
          if (!ended.aborted && !isEnd(error)) throw error;
        }
        exchange.response.end();
        return undefined;
      },
    ],
  ];
}

interface Range {
  /** Milliseconds since 1970. */
  readonly since: number | undefined;
  readonly until: number | undefined;
}

interface Telling {
  readonly exchange: Exchange;
  readonly filters: Filters;
  readonly range: Range;
  readonly ended: AbortSignal;
  /** The time until which events are wanted has come already. */
  readonly isOver: boolean;
}

async function tell(cluster: Cluster, telling: Telling): Promise<void> {
  const { exchange, filters, range, ended, isOver } = telling;
  const { since, until } = range;
  const { index } = cluster.health;
  const write = async (change: ObjectChange) => {
    const event = swarmEventOf(change);
    if (event === undefined || !isWanted(event, filters)) return;
    // A client that reads slowly holds up its own stream, and nothing else.
    if (!exchange.response.write(eventLine(event, change.at))) {
      await once(exchange.response, 'drain', { signal: exchange.signal });
    }
  };
  if (since !== undefined) {
    for await (const change of pastOf(cluster, since, index, ended)) {
      if (until !== undefined && change.at > until) return;
      await write(change);
    }
  }
  if (isOver || ended.aborted) return;
  for await (const change of cluster.watch({ from: index, signal: ended })) {
    if (change.type === 'created' || change.type === 'updated' || change.type === 'removed')
      await write(change);
  }
}

/** As far back as history goes: one that is asked to begin earlier begins there. */
async function* pastOf(
  cluster: Cluster,
  since: number,
  to: number,
  signal: AbortSignal,
): AsyncGenerator<ObjectChange, void, undefined> {
  if (since > cluster.health.at) return;
  for (const from of [new Date(since), undefined]) {
    try {
      const story = cluster.history(undefined, { to, signal, ...(from !== undefined && { from }) });
      for await (const event of story) if (event.type !== 'gap') yield event;
      return;
    } catch (error) {
      if (!(isSkepError(error) && error.code === 'HISTORY_PRUNED')) throw error;
    }
  }
}

/** Aborted when the client is gone, or the time has come until which events are wanted. */
function endOf(until: number | undefined, { signal }: Exchange, clock: Clock): AbortSignal {
  if (until === undefined) return signal;
  const end = new AbortController();
  const cancel = clock.setTimer(Math.max(0, until - clock.now()), () => end.abort());
  signal.addEventListener('abort', () => {
    cancel();
    end.abort();
  });
  return end.signal;
}

function untilAborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
}

/** A cluster that was opened without a history has no past to tell, and one that closes no future. */
function isEnd(error: unknown): boolean {
  return isSkepError(error) && (error.code === 'PRECONDITION_FAILED' || error.code === 'CLOSED');
}

function rangeOf({ query }: Exchange): Range {
  const time = (name: string) => {
    const text = query.get(name) ?? '';
    return text === '' ? undefined : Math.floor(secondsOf(text) * 1_000);
  };
  return { since: time('since'), until: time('until') };
}

function isWanted(event: SwarmEvent, filters: Filters): boolean {
  const { Type: type, Action: action, Actor: actor } = event;
  return (
    filters.passes('type', (wanted) => wanted === type) &&
    filters.passes('event', (wanted) => wanted === action) &&
    filters.passes('scope', (wanted) => wanted === 'swarm') &&
    filters.passesLabels('label', actor.Attributes) &&
    OBJECTS.every((kind) =>
      filters.passes(
        kind,
        (wanted) => kind === type && (wanted === actor.ID || wanted === actor.Attributes['name']),
      ),
    )
  );
}
