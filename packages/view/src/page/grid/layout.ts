/** Where nodes and tasks stand in the grid. Pure: from how many there are and how wide it is. */

/** The measures of a grid. Nodes are columns, in bands one below the other; all in CSS pixels. */
export interface GridLayout {
  readonly columnWidth: number;
  /** Columns of one band. */
  readonly columns: number;
  readonly bandHeight: number;
  readonly headHeight: number;
  readonly cellWidth: number;
  readonly cellHeight: number;
  /** Cells beside each other in one column. */
  readonly perRow: number;
  /** There is room for names. */
  readonly isLabelled: boolean;
  readonly height: number;
}

const COLUMN_MIN = 14;
const COLUMN_MAX = 190;
const LABELLED_MIN = 84;
const GAP = 4;
const SMALL_CELL = 11;
const LABELLED_CELL = 24;
const ROWS_MIN = 3;

/** Lays out a grid. @param most - the most tasks that one node has */
export function layoutGrid(nodes: number, most: number, width: number): GridLayout {
  const room = Math.max(COLUMN_MIN, width);
  const columnWidth = Math.min(COLUMN_MAX, Math.max(COLUMN_MIN, Math.floor(room / Math.max(1, nodes))));
  const columns = Math.max(1, Math.floor(room / columnWidth));
  const isLabelled = columnWidth >= LABELLED_MIN;
  const inner = columnWidth - GAP;
  const perRow = isLabelled ? 1 : Math.max(1, Math.floor(inner / SMALL_CELL));
  const cellHeight = isLabelled ? LABELLED_CELL : SMALL_CELL;
  const rows = Math.max(ROWS_MIN, Math.ceil(most / perRow));
  const headHeight = isLabelled ? 22 : 6;
  const bandHeight = headHeight + rows * cellHeight + 3 * GAP;
  return {
    ...{ columnWidth, columns, bandHeight, headHeight, cellHeight, perRow, isLabelled },
    cellWidth: isLabelled ? inner : Math.floor(inner / perRow),
    height: Math.ceil(Math.max(1, nodes) / columns) * bandHeight,
  };
}

/** The upper left corner of a column. */
export function columnAt(layout: GridLayout, column: number): { readonly x: number; readonly y: number } {
  return {
    x: (column % layout.columns) * layout.columnWidth,
    y: Math.floor(column / layout.columns) * layout.bandHeight,
  };
}

/** The upper left corner of a cell in its column. */
export function cellAt(layout: GridLayout, cell: number): { readonly x: number; readonly y: number } {
  return {
    x: (cell % layout.perRow) * layout.cellWidth,
    y: layout.headHeight + Math.floor(cell / layout.perRow) * layout.cellHeight,
  };
}

/** Which column and cell stand at a point; a cell of -1 is the column's head. */
export function hitAt(
  layout: GridLayout,
  x: number,
  y: number,
): { readonly column: number; readonly cell: number } | undefined {
  const inBand = Math.floor(x / layout.columnWidth);
  if (x < 0 || y < 0 || inBand >= layout.columns) return undefined;
  const column = Math.floor(y / layout.bandHeight) * layout.columns + inBand;
  const fromTop = (y % layout.bandHeight) - layout.headHeight;
  if (fromTop < 0) return { column, cell: -1 };
  const fromLeft = Math.min(
    layout.perRow - 1,
    Math.floor((x - inBand * layout.columnWidth) / layout.cellWidth),
  );
  return { column, cell: Math.floor(fromTop / layout.cellHeight) * layout.perRow + fromLeft };
}
