import { readdirSync, readFileSync } from 'node:fs';
import { sep } from 'node:path';
import { describe, expect, test } from 'vitest';

const root = new URL('./', import.meta.url);
const folders = ['core', 'linearizability', 'search', 'simulator', 'simulator/cores', 'scenario'];
const files = folders.flatMap((folder) =>
  readdirSync(new URL(`${folder}/`, root))
    .filter((name) => name.endsWith('.ts') && !name.endsWith('.test.ts'))
    .map((name) => `${folder}/${name}`),
);

/** What a deterministic core, and a simulation of it, must never reach for. */
const FORBIDDEN =
  /from 'node:|\bDate\b|Math\.random|\bsetTimeout\b|\bsetInterval\b|\bsetImmediate\b|\bqueueMicrotask\b|\bperformance\.|\bcrypto\.|\bprocess\.|\bBuffer\b|\bPromise\b|\basync\b|\bawait\b/;

/** The simulation of nodes waits for promises, as nodes do, and for nothing else. */
const FORBIDDEN_TO_NODES = new RegExp(FORBIDDEN.source.replace('|\\bPromise\\b|\\basync\\b|\\bawait\\b', ''));

describe('the deterministic parts', () => {
  test.each(files)('given %s, when it is read, then it asks for no clock, chance, I/O or promise', (file) => {
    const code = readFileSync(new URL(file, root), 'utf8').replaceAll(/\/\*[\s\S]*?\*\/|\/\/.*$/gm, '');
    expect(code).not.toMatch(FORBIDDEN);
  });

  test('given the simulation of nodes, when it is read, then it asks for no clock, chance or I/O', () => {
    expect(FORBIDDEN_TO_NODES.test('await x')).toBe(false);
    const folder = new URL('simulator/nodes/', root);
    for (const name of readdirSync(folder).filter((each) => !each.endsWith('.test.ts'))) {
      const code = readFileSync(new URL(name, folder), 'utf8').replaceAll(/\/\*[\s\S]*?\*\/|\/\/.*$/gm, '');
      expect(code.match(FORBIDDEN_TO_NODES)?.[0], name).toBeUndefined();
    }
  });

  test('given the core, when its imports are read, then it knows nothing of what is around it', () => {
    for (const file of files.filter((name) => name.startsWith('core/'))) {
      const source = readFileSync(new URL(file, root), 'utf8');
      expect(source.match(/from '(?!\.\/)[^']+'/g) ?? []).toEqual([]);
    }
  });
});

describe('everything but the adapters', () => {
  const all = readdirSync(root, { recursive: true, encoding: 'utf8' }).map((file) =>
    file.split(sep).join('/'),
  );
  const portable = all.filter((file) => /\.ts$/.test(file) && !/\.test\.ts$|^adapters\//.test(file));

  test.each(portable)('given %s, when its imports are read, then none is of Node', (file) => {
    const source = readFileSync(new URL(file, root), 'utf8');
    expect(source).not.toMatch(/from 'node:|import\('node:|\brequire\(/);
    // Frames and snapshots use msgpackr; no other code than this package's own runs outside the adapters.
    const imports = [...source.matchAll(/^import (?!type)[^']*'([^'.][^']*)'/gm)].map(([, name]) => name);
    expect(imports.filter((name) => name !== 'msgpackr' && !file.includes('test-support'))).toEqual([]);
  });
});
