/**
 * How the mini-cluster is shown: a live table on a terminal, plain lines anywhere else. Both say the same; neither
 * decides anything.
 */

import type { Cluster } from '@skep/core';
import { createLogUpdate } from 'log-update';
import stringWidth from 'string-width';
import { serviceTable, taskTable } from './tables.ts';

/** Shows a cluster until stopped. */
export interface Display {
  /** Says something beside the tables: under the picture, asked for anew each time, or as one more line. */
  say(text: () => string): void;
  /** Stops, leaving the last picture where it is. */
  stop(): void;
}

/** Between two pictures on a terminal, at least. Changes in between show in the next one. */
const REDRAW_MS = 100;

/** Begins to show the cluster. */
export function show(cluster: Cluster, screen: NodeJS.WriteStream): Display {
  return screen.isTTY ? showLive(cluster, screen) : showLines(cluster, screen);
}

function showLive(cluster: Cluster, screen: NodeJS.WriteStream): Display {
  const update = createLogUpdate(screen, { showCursor: true });
  let footer = () => '';
  const draw = () => {
    const tables = [...serviceTable(cluster), '', ...taskTable(cluster, cluster.services.list(), Date.now())];
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
  const subscription = cluster.watch().subscribe(soon);
  const seconds = setInterval(draw, 1_000);
  return {
    say: (text) => {
      footer = text;
      soon();
    },
    stop: () => {
      if (stopped) return;
      stopped = true;
      subscription.unsubscribe();
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
function showLines(cluster: Cluster, screen: NodeJS.WriteStream): Display {
  const told = new Map<string, string>();
  const subscription = cluster.watch({ kind: 'task' }).subscribe((event) => {
    if (event.type === 'synced' || event.type === 'gap' || event.type === 'removed') return;
    const { object: task } = event;
    const { state, error } = task.status;
    const line = `${state}${error === undefined ? '' : `: ${error}`}`;
    if (told.get(task.id) === line || !TOLD_STATES.has(state)) return;
    told.set(task.id, line);
    const service = cluster.services.list().find(({ id }) => id === task.serviceId);
    const node = cluster.nodes.list().find(({ id }) => id === task.nodeId);
    const name = `${service?.spec.name ?? task.serviceId}.${task.slot || (node?.description.hostname ?? '')}`;
    screen.write(`${name} ${line}${node ? ` on ${node.description.hostname}` : ''}\n`);
  });
  return {
    say: (text) => void screen.write(`${text()}\n`),
    stop: () => subscription.unsubscribe(),
  };
}

const TOLD_STATES = new Set([
  'assigned',
  'running',
  'complete',
  'shutdown',
  'failed',
  'rejected',
  'orphaned',
]);
