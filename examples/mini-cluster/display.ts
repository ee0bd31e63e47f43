/**
 * How the mini-cluster is shown: a live table on a terminal, plain lines anywhere else. Both say the same; neither
 * decides anything.
 */

import { createLogUpdate } from 'log-update';
import stringWidth from 'string-width';
import type { Fleet, FleetEvent, FleetNode } from './fleet.ts';
import { nodeTable, serviceTable, taskTable } from './tables.ts';

/** Shows a cluster of processes until stopped. */
export interface Display {
  /** Says something beside the tables: under the picture, asked for anew each time, or as one more line. */
  say(text: () => string): void;
  /** Stops, leaving the last picture where it is. */
  stop(): void;
}

/** Between two pictures on a terminal, at least. Changes in between show in the next one. */
const REDRAW_MS = 100;

/** Begins to show the cluster. */
export function show(fleet: Fleet, screen: NodeJS.WriteStream): Display {
  return screen.isTTY ? showLive(fleet, screen) : showLines(fleet, screen);
}

/** All that is to be seen, as lines: nodes, services and tasks. */
export function allTables(fleet: Fleet): string[] {
  const { picture, nodes } = fleet;
  if (picture === undefined) return [];
  const hosts = new Map(nodes.map(({ hostname, address }) => [hostname, address.host]));
  const tables = [nodeTable(nodes, picture), serviceTable(picture), taskTable(picture, hosts, Date.now())];
  return tables.flatMap((lines, at) => (at === 0 ? lines : ['', ...lines]));
}

function showLive(fleet: Fleet, screen: NodeJS.WriteStream): Display {
  const update = createLogUpdate(screen, { showCursor: true });
  let footer = () => '';
  const draw = () => {
    const tables = allTables(fleet);
    const notes = footer()
      .split('\n')
      .flatMap((line) => wrap(line, screen.columns ?? 80));
    const room = Math.max(1, (screen.rows ?? 24) - notes.length - 3);
    const hidden = tables.length - room;
    const shown = [...tables.slice(0, room), ...(hidden > 0 ? [`… ${hidden} more lines`] : [])];
    const lines = shown.map((line) => clip(line, screen.columns ?? 80));
    update([...lines, '', ...notes].slice(-(screen.rows ?? 24) + 1).join('\n'));
  };
  let timer: NodeJS.Timeout | undefined;
  let stopped = false;
  const soon = () => {
    if (stopped) return;
    timer ??= setTimeout(() => {
      timer = undefined;
      draw();
    }, REDRAW_MS);
  };
  const stops = [fleet.onPicture(soon), fleet.onEvent(soon)];
  const seconds = setInterval(draw, 1_000);
  return {
    say: (text) => {
      footer = text;
      soon();
    },
    stop: () => {
      if (stopped) return;
      stopped = true;
      for (const stop of stops) stop();
      clearTimeout(timer);
      clearInterval(seconds);
      draw();
      update.done();
    },
  };
}

/** A sentence over as many lines as it needs. */
function wrap(text: string, columns: number): string[] {
  const lines = [''];
  for (const word of text.split(' ')) {
    const line = lines.at(-1) ?? '';
    const longer = line === '' ? word : `${line} ${word}`;
    if (stringWidth(longer) <= columns || line === '') lines[lines.length - 1] = clip(longer, columns);
    else lines.push(clip(word, columns));
  }
  return lines;
}

/** A line that would be wrapped spoils the picture: it is cut, and says so. */
function clip(line: string, columns: number): string {
  if (stringWidth(line) <= columns) return line;
  let cut = line.slice(0, columns - 1);
  while (stringWidth(cut) > columns - 1) cut = cut.slice(0, -1);
  return `${cut}…`;
}

/** One line for each step that a reader cares for. */
function showLines(fleet: Fleet, screen: NodeJS.WriteStream): Display {
  const told = new Map<string, string>();
  const tell = () => {
    for (const task of fleet.picture?.tasks ?? []) {
      const { state, error } = task.status;
      const line = `${state}${error === undefined ? '' : `: ${error}`}`;
      if (told.get(task.id) === line || !TOLD_STATES.has(state)) continue;
      told.set(task.id, line);
      const service = fleet.picture?.services.find(({ service: { id } }) => id === task.serviceId)?.service;
      const node = fleet.picture?.nodes.find(({ id }) => id === task.nodeId);
      const name = `${service?.spec.name ?? task.serviceId}.${task.slot || (node?.description.hostname ?? '')}`;
      screen.write(`${name} ${line}${node ? ` on ${node.description.hostname}` : ''}\n`);
    }
  };
  const stops = [
    fleet.onPicture(tell),
    fleet.onEvent((node, event) => {
      const line = eventText(node, event);
      if (line !== undefined) screen.write(`${line}\n`);
    }),
  ];
  tell();
  return {
    say: (text) => void screen.write(`${text()}\n`),
    stop: () => {
      for (const stop of stops) stop();
    },
  };
}

/** What happened to a node, in words; undefined for what is of no interest. */
export function eventText({ hostname, address, process }: FleetNode, event: FleetEvent): string | undefined {
  switch (event.kind) {
    case 'started':
      return undefined;
    case 'ready':
      return `${hostname} is up: pid ${process.pid}, ${address.host}:${address.port}`;
    case 'failed':
      return `${hostname} can not be started: ${process.failure?.message ?? 'it does not say why'}`;
    case 'ended':
      return `${hostname} was ended ${event.how}; it is started again in ${event.againMs / 1_000} s`;
  }
}

const TOLD_STATES = new Set<string>([
  'assigned',
  'running',
  'complete',
  'shutdown',
  'failed',
  'rejected',
  'orphaned',
]);
