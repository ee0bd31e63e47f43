import { describe, expect, it } from 'vitest';
import type { ServiceRow, ViewSnapshot } from './rows.ts';
import { ViewTables } from './view-tables.ts';

const web: ServiceRow = {
  ...{ id: 'web', name: 'web', mode: 'replicated', image: 'web', desired: 2, running: 0, current: 0 },
  ...{ converged: false, reasons: [], ports: [], networks: [] },
};
const snapshot: ViewSnapshot = { index: 5, at: 1, nodes: [], services: [web], tasks: [], networks: [] };

describe('given tables at index 5', () => {
  const tables = () => {
    const made = new ViewTables();
    made.reset(snapshot);
    return made;
  };

  it('when how far a service is comes later, at the same index, then it counts', () => {
    const shown = tables();
    const changes = shown.apply({ index: 5, at: 1, services: { put: [{ ...web, running: 2 }] } });
    expect(changes).toHaveLength(1);
    expect(shown.services.get('web')?.running).toBe(2);
  });

  it('when something older comes, then nothing changes', () => {
    const shown = tables();
    expect(shown.apply({ index: 4, at: 1, services: { gone: ['web'] } })).toEqual([]);
    expect(shown.services.size).toBe(1);
  });

  it('when a row goes, then it is told what it was last', () => {
    const shown = tables();
    expect(shown.apply({ index: 6, at: 2, services: { gone: ['web', 'unknown'] } })).toEqual([
      { table: 'services', before: web, after: undefined },
    ]);
    expect([shown.index, shown.at, shown.services.size]).toEqual([6, 2, 0]);
  });
});
