import { describe, expect, it } from 'vitest';
import { cellAt, columnAt, hitAt, layoutGrid } from './layout.ts';

describe('given a grid', () => {
  it.each([
    [5, 4, 900],
    [40, 12, 900],
    [1_000, 10, 1_200],
    [3, 100, 360],
  ])(
    'of %i nodes with up to %i tasks, %i px wide, then each cell is found where it stands',
    (nodes, most, width) => {
      const layout = layoutGrid(nodes, most, width);
      for (let column = 0; column < nodes; column += 7) {
        const corner = columnAt(layout, column);
        expect(corner.x + layout.columnWidth).toBeLessThanOrEqual(width);
        expect(hitAt(layout, corner.x + 1, corner.y + 1)).toEqual({ column, cell: -1 });
        for (let cell = 0; cell < most; cell++) {
          const { x, y } = cellAt(layout, cell);
          expect(y + layout.cellHeight).toBeLessThanOrEqual(layout.bandHeight);
          expect(hitAt(layout, corner.x + x + 1, corner.y + y + 1)).toEqual({ column, cell });
        }
      }
    },
  );
});
