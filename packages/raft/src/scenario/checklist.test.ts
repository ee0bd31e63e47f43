import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { MUTANTS } from '../../mutants/index.ts';

const root = new URL('../../', import.meta.url);
const read = (path: string) => readFileSync(new URL(path, root), 'utf8');
const checklist = read('CHECKLIST.md');
const scenarios = readdirSync(new URL('scenarios/', root))
  .filter((name) => name.endsWith('.txt'))
  .map((name) => name.replace('.txt', ''));

/** The rows of tables with this many columns, as cells. */
function rows(columns: number): string[][] {
  return checklist
    .split('\n')
    .filter((line) => line.startsWith('| ') && !line.startsWith('| ---'))
    .map((line) => line.split('|').slice(1, -1))
    .filter((cells) => cells.length === columns)
    .map((cells) => cells.map((cell) => cell.trim()));
}

const quoted = (text: string) => [...text.matchAll(/`([^`]+)`/g)].map(([, name = '']) => name);

const points = rows(4).filter(([point]) => /^\d/.test(point ?? ''));

describe('the checklist', () => {
  test('given its points, then there are forty, each with something that holds it', () => {
    expect(points.map(([point]) => Number.parseInt(point ?? '', 10))).toEqual(
      Array.from({ length: 40 }, (_, at) => at + 1),
    );
    for (const [point, ...holding] of points) expect(holding.join(''), point).not.toBe('');
  });

  test('given the scenarios that it names, then they are there, and none is left out', () => {
    const named = new Set(points.flatMap(([, names = '']) => quoted(names)));
    expect([...named].filter((name) => !scenarios.includes(name))).toEqual([]);
    expect(scenarios.filter((name) => !named.has(name))).toEqual([]);
  });

  test('given the planted bugs that it names, then they are there', () => {
    const named = points.flatMap(([, , bugs = '']) => bugs.split('; ')).filter((bug) => bug !== '');
    const planted = new Set(MUTANTS.map(({ name }) => name));
    expect(named.filter((name) => !planted.has(name))).toEqual([]);
    expect(named.length).toBeGreaterThan(50);
  });

  test('given the files that it names, then they are there', () => {
    const tests = points.flatMap(([, , , names = '']) => quoted(names)).map((path) => `src/${path}`);
    const features = rows(2)
      .flatMap(([, where = '']) => quoted(where))
      .filter((name) => name.includes('.'));
    const missing = [...tests, ...features].filter((path) => !existsSync(new URL(path, root)));
    expect(missing).toEqual([]);
  });

  test('given the index of scenarios, then each file that it names is there', () => {
    const index = read('scenarios/README.md')
      .split('\n')
      .map((line) => line.split('|'))
      .filter((cells) => cells.length === 5);
    const named = index.flatMap((cells) => quoted(cells[2] ?? ''));
    const missing = named.filter(
      (name) => !scenarios.includes(name) && !existsSync(new URL(`scenarios/${name}`, root)),
    );
    expect(missing).toEqual([]);
    expect(named.length).toBeGreaterThan(20);
  });
});
