/** Draws the grid on a canvas: of what is in sight, the columns that have changed. */

import type { TaskRow } from '../../model/rows.ts';
import type { Ghosts } from '../ghosts.ts';
import type { GridColumn, GridColumns } from './grid-columns.ts';
import { cellAt, columnAt, type GridLayout } from './layout.ts';
import { type Phase, phaseOf } from './phase.ts';

/** Colours of the present theme. */
export type Palette = Readonly<
  Record<Phase | 'text' | 'card' | 'line' | 'quiet' | 'accent' | 'ghost', string>
>;

/** What is drawn. */
export interface Scene {
  readonly columns: GridColumns;
  readonly layout: GridLayout;
  readonly palette: Palette;
  readonly serviceName: (id: string) => string;
  readonly ghosts: Ghosts | undefined;
  /** How far it is scrolled down, and how much of it is in sight. */
  readonly top: number;
  readonly height: number;
  readonly focus: { readonly column: number; readonly cell: number } | undefined;
}

const MARKS: Readonly<Partial<Record<Phase, string>>> = {
  failed: '×',
  waiting: '…',
  starting: '↑',
  ended: '–',
};

/** Draws some columns, or all. */
export function paint(
  context: CanvasRenderingContext2D,
  scene: Scene,
  dirty: 'all' | readonly number[],
): void {
  const { layout, columns, top, height } = scene;
  const first = Math.floor(top / layout.bandHeight) * layout.columns;
  const last = Math.ceil((top + height) / layout.bandHeight) * layout.columns;
  const isInSight = (at: number) => at >= first && at < last;
  if (dirty === 'all') {
    context.fillStyle = scene.palette.card;
    context.fillRect(0, 0, context.canvas.width, context.canvas.height);
    for (let at = first; at < Math.min(last, columns.count); at++) paintColumn(context, scene, at);
    return;
  }
  for (const at of dirty) if (isInSight(at)) paintColumn(context, scene, at);
}

function paintColumn(context: CanvasRenderingContext2D, scene: Scene, at: number): void {
  const column = scene.columns.column(at);
  if (column === undefined) return;
  const { layout, palette, top } = scene;
  const corner = columnAt(layout, at);
  const y = corner.y - top;
  context.fillStyle = palette.card;
  context.fillRect(corner.x, y, layout.columnWidth, layout.bandHeight);
  paintHead(context, scene, column, corner.x, y);
  for (const [cell, task] of column.tasks.entries()) {
    paintCell(context, scene, task, column.node?.state === 'down', { x: corner.x, y, cell });
  }
  const coming = scene.ghosts?.coming.get(column.id) ?? [];
  for (const [order, name] of coming.entries()) {
    const { x: cx, y: cy } = cellAt(layout, column.tasks.length + order);
    context.strokeStyle = palette.ghost;
    context.setLineDash([3, 2]);
    context.strokeRect(corner.x + cx + 1.5, y + cy + 1.5, layout.cellWidth - 4, layout.cellHeight - 4);
    context.setLineDash([]);
    if (layout.isLabelled) label(context, palette.ghost, `+ ${name}`, corner.x + cx + 7, y + cy, layout);
  }
  const { focus } = scene;
  if (focus?.column !== at) return;
  const { x: fx, y: fy } = focus.cell < 0 ? { x: 0, y: 0 } : cellAt(layout, focus.cell);
  context.strokeStyle = palette.text;
  context.lineWidth = 2;
  const h = focus.cell < 0 ? layout.headHeight : layout.cellHeight;
  context.strokeRect(corner.x + fx + 1, y + fy + 1, layout.cellWidth - 2, h - 2);
  context.lineWidth = 1;
}

function paintHead(
  context: CanvasRenderingContext2D,
  { layout, palette, ghosts }: Scene,
  { id, node }: GridColumn,
  x: number,
  y: number,
): void {
  const isWell = node === undefined || (node.state === 'ready' && node.availability === 'active');
  const isBad = node?.state === 'down' || node?.state === 'suspect';
  context.fillStyle = isBad ? palette.failed : isWell ? palette.line : palette.waiting;
  context.fillRect(x, y, layout.columnWidth - 4, layout.isLabelled ? 3 : layout.headHeight - 2);
  if (ghosts?.leaving.has(id)) {
    context.fillStyle = palette.ghost;
    context.fillRect(x, y, layout.columnWidth - 4, 3);
  }
  if (!layout.isLabelled) return;
  const name = node?.name ?? 'no node';
  const note =
    node === undefined || isWell ? '' : ` (${node.state === 'ready' ? node.availability : node.state})`;
  label(context, isBad ? palette.failed : palette.quiet, name + note, x + 2, y, {
    ...layout,
    cellHeight: layout.headHeight,
  });
}

function paintCell(
  context: CanvasRenderingContext2D,
  { layout, palette, serviceName, ghosts }: Scene,
  task: TaskRow,
  isLost: boolean,
  place: { readonly x: number; readonly y: number; readonly cell: number },
): void {
  const { x, y } = cellAt(layout, place.cell);
  // Nobody hears of a task whose node is down: that it ran is the last that is known.
  const phase = isLost && task.state === 'running' ? 'ended' : phaseOf(task);
  const isGoing = ghosts?.going.has(task.id) ?? false;
  const [cx, cy, w, h] = [place.x + x, place.y + y, layout.cellWidth - 2, layout.cellHeight - 2];
  context.fillStyle = palette[phase];
  if (layout.isLabelled) {
    context.fillRect(cx, cy, 4, h);
    context.globalAlpha = 0.16;
    context.fillRect(cx + 4, cy, w - 4, h);
    context.globalAlpha = 1;
    const name = `${serviceName(task.service)}${task.slot === 0 ? '' : `.${task.slot}`}`;
    const text = phase === 'running' ? name : `${name} ${task.state}`;
    label(context, palette.text, text, cx + 9, cy, layout);
  } else {
    context.fillRect(cx, cy, w, h);
    const mark = MARKS[phase];
    if (mark !== undefined) {
      context.fillStyle = palette.card;
      context.font = 'bold 10px system-ui, sans-serif';
      context.textBaseline = 'middle';
      context.fillText(mark, cx + 2, cy + h / 2);
    }
  }
  if (!isGoing) return;
  context.strokeStyle = palette.ghost;
  context.lineWidth = 2;
  context.beginPath();
  context.moveTo(cx, cy + h);
  context.lineTo(cx + w, cy);
  context.stroke();
  context.strokeRect(cx + 1, cy + 1, w - 2, h - 2);
  context.lineWidth = 1;
}

function label(
  context: CanvasRenderingContext2D,
  colour: string,
  text: string,
  x: number,
  y: number,
  layout: GridLayout,
): void {
  context.fillStyle = colour;
  context.font = '12px system-ui, sans-serif';
  context.textBaseline = 'middle';
  context.fillText(fitted(context, text, layout.columnWidth - 18), x, y + layout.cellHeight / 2);
}

/** A text cut so that it fits, and says so. */
function fitted(context: CanvasRenderingContext2D, text: string, width: number): string {
  let cut = text.slice(0, 60);
  if (cut === text && context.measureText(cut).width <= width) return text;
  while (cut.length > 1 && context.measureText(`${cut}…`).width > width) cut = cut.slice(0, -1);
  return `${cut}…`;
}
