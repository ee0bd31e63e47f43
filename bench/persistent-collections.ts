/**
 * Times the persistent collections under the state: random writes in batches of 500, each batch with an owner of
 * its own and a capture kept of every hundredth version, then reads.
 *
 *     npx tsx bench/persistent-collections.ts
 *     node --expose-gc --import=tsx bench/persistent-collections.ts   # heap per element too
 */
import { createOwner } from '../packages/core/src/state/persistent/owner.ts';
import { PersistentMap } from '../packages/core/src/state/persistent/persistent-map.ts';
import { PersistentVector } from '../packages/core/src/state/persistent/persistent-vector.ts';
import { RowSet } from '../packages/core/src/state/persistent/row-set.ts';

const COUNT = 1_000_000;
const BATCH = 500;
const CAPTURE_EVERY = 100;

interface Figure {
  readonly what: string;
  readonly seconds: string;
  readonly 'million/s': string;
  readonly 'worst batch ms': string;
  readonly 'heap bytes/element': string;
}

const figures: Figure[] = [];

/** A small deterministic generator (xorshift32), so that every run does the same work. */
function numbers(seed: number): (below: number) => number {
  let x = seed;
  return (below) => {
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    return (x >>> 0) % below;
  };
}

function heap(): number {
  globalThis.gc?.();
  return process.memoryUsage().heapUsed;
}

function note(what: string, seconds: number, worst?: number, bytes?: number): void {
  figures.push({
    what,
    seconds: seconds.toFixed(2),
    'million/s': (COUNT / seconds / 1e6).toFixed(2),
    'worst batch ms': worst === undefined ? '' : worst.toFixed(1),
    'heap bytes/element': bytes === undefined || globalThis.gc === undefined ? '' : bytes.toFixed(0),
  });
}

/** Runs `batch(from, to)` over all of COUNT, and gives the total and the longest time. */
function inBatches(batch: (from: number, to: number) => void): { seconds: number; worst: number } {
  let worst = 0;
  const start = performance.now();
  for (let from = 0; from < COUNT; from += BATCH) {
    const began = performance.now();
    batch(from, from + BATCH);
    worst = Math.max(worst, performance.now() - began);
  }
  return { seconds: (performance.now() - start) / 1000, worst };
}

function timed(work: () => void): number {
  const start = performance.now();
  work();
  return (performance.now() - start) / 1000;
}

function shuffled(length: number, next: (below: number) => number): Uint32Array {
  const order = Uint32Array.from({ length }, (_, i) => i);
  for (let i = length - 1; i > 0; i -= 1) {
    const j = next(i + 1);
    const kept = order[i] ?? 0;
    order[i] = order[j] ?? 0;
    order[j] = kept;
  }
  return order;
}

function benchVector(): void {
  const next = numbers(1);
  const row = { state: 'pending' };
  const other = { state: 'running' };
  const before = heap();
  let rows = PersistentVector.empty<{ state: string }>();
  const appended = inBatches((from, to) => {
    const owner = createOwner();
    for (let i = from; i < to; i += 1) {
      rows = rows.set(i, row, owner);
    }
  });
  note('vector: append', appended.seconds, appended.worst, (heap() - before) / COUNT);

  const order = shuffled(COUNT, next);
  const captures: PersistentVector<{ state: string }>[] = [];
  const updated = inBatches((from, to) => {
    const owner = createOwner();
    for (let i = from; i < to; i += 1) {
      rows = rows.set(order[i] ?? 0, other, owner);
    }
    if ((from / BATCH) % CAPTURE_EVERY === 0) {
      captures.push(rows);
      captures.splice(0, captures.length - 2);
    }
  });
  note('vector: update random rows', updated.seconds, updated.worst);

  let found = 0;
  const read = timed(() => {
    for (const index of order) {
      found += rows.get(index) === other ? 1 : 0;
    }
  });
  note('vector: get random rows', read);
  const walked = timed(() => {
    rows.forEach((value) => {
      found += value === other ? 1 : 0;
    });
  });
  note('vector: forEach', walked);
  const iterated = timed(() => {
    for (const entry of rows) {
      found += entry[1] === other ? 1 : 0;
    }
  });
  note('vector: for…of', iterated);
  if (found !== 3 * COUNT) {
    throw new Error(`the vector lost rows: ${found}`);
  }
}

function randomIds(next: (below: number) => number): string[] {
  const digits = '0123456789abcdefghijklmnopqrstuvwxyz';
  return Array.from({ length: COUNT }, () => {
    const units = Array.from({ length: 25 }, () => digits.charCodeAt(next(36)));
    return String.fromCharCode(...units);
  });
}

function benchMap(): void {
  const next = numbers(2);
  const ids = randomIds(next);
  const before = heap();
  let map = PersistentMap.empty<string, number>();
  const inserted = inBatches((from, to) => {
    const owner = createOwner();
    for (let i = from; i < to; i += 1) {
      map = map.set(ids[i] ?? '', i, owner);
    }
  });
  note('map: insert ids', inserted.seconds, inserted.worst, (heap() - before) / COUNT);

  const order = shuffled(COUNT, next);
  let found = 0;
  const read = timed(() => {
    for (const index of order) {
      found += map.get(ids[index] ?? '') === index ? 1 : 0;
    }
  });
  note('map: get in random order', read);
  const readInOrder = timed(() => {
    for (let index = 0; index < COUNT; index += 1) {
      found += map.get(ids[index] ?? '') === index ? 1 : 0;
    }
  });
  note('map: get in order of insertion', readInOrder);
  const iterated = timed(() => {
    for (const [key] of map) {
      found += key.length === 25 ? 1 : 0;
    }
  });
  note('map: for…of', iterated);
  if (found !== 3 * COUNT) {
    throw new Error(`the map lost entries: ${found}`);
  }
  const replaced = inBatches((from, to) => {
    const owner = createOwner();
    for (let i = from; i < to; i += 1) {
      map = map.set(ids[order[i] ?? 0] ?? '', -1, owner);
    }
  });
  note('map: replace values', replaced.seconds, replaced.worst);
  const deleted = inBatches((from, to) => {
    const owner = createOwner();
    for (let i = from; i < to; i += 1) {
      map = map.delete(ids[order[i] ?? 0] ?? '', owner);
    }
  });
  note('map: delete', deleted.seconds, deleted.worst);
  if (map.size !== 0) {
    throw new Error(`the map kept entries: ${map.size}`);
  }
}

/** The built-in Map on the same ids: what a map without versions costs on this machine. */
function benchPlainMap(): void {
  const next = numbers(2);
  const ids = randomIds(next);
  const map = new Map<string, number>();
  const inserted = inBatches((from, to) => {
    for (let i = from; i < to; i += 1) {
      map.set(ids[i] ?? '', i);
    }
  });
  note('built-in Map: insert ids', inserted.seconds, inserted.worst);
  const order = shuffled(COUNT, next);
  let found = 0;
  const read = timed(() => {
    for (const index of order) {
      found += map.get(ids[index] ?? '') === index ? 1 : 0;
    }
  });
  note('built-in Map: get in random order', read);
  const readInOrder = timed(() => {
    for (let index = 0; index < COUNT; index += 1) {
      found += map.get(ids[index] ?? '') === index ? 1 : 0;
    }
  });
  note('built-in Map: get in order of insertion', readInOrder);
  if (found !== 2 * COUNT) {
    throw new Error(`the built-in Map lost entries: ${found}`);
  }
}

function benchRowSets(name: string, count: number): void {
  const order = shuffled(COUNT, numbers(3));
  const sets: RowSet[] = Array.from({ length: count }, () => RowSet.empty());
  const before = heap();
  const added = inBatches((from, to) => {
    const owner = createOwner();
    for (let i = from; i < to; i += 1) {
      const row = order[i] ?? 0;
      const set = sets[row % count] ?? RowSet.empty();
      sets[row % count] = set.add(row, owner);
    }
  });
  note(`row set: add, ${name}`, added.seconds, added.worst, (heap() - before) / COUNT);
  let found = 0;
  const walked = timed(() => {
    for (const set of sets) {
      set.forEach(() => {
        found += 1;
      });
    }
  });
  note(`row set: forEach, ${name}`, walked);
  if (found !== COUNT) {
    throw new Error(`the row sets lost rows: ${found}`);
  }
  const deleted = inBatches((from, to) => {
    const owner = createOwner();
    for (let i = from; i < to; i += 1) {
      const row = order[i] ?? 0;
      const set = sets[row % count] ?? RowSet.empty();
      sets[row % count] = set.delete(row, owner);
    }
  });
  note(`row set: delete, ${name}`, deleted.seconds, deleted.worst);
  if (sets.some((set) => set !== RowSet.empty())) {
    throw new Error('the row sets kept rows');
  }
}

benchVector();
benchMap();
benchPlainMap();
benchRowSets('10,000 sets of 100', 10_000);
benchRowSets('10 sets of 100,000', 10);
benchRowSets('1 set of 1,000,000', 1);
console.log(`${COUNT.toLocaleString('en')} operations each, in batches of ${BATCH}; Node ${process.version}`);
console.table(figures);
