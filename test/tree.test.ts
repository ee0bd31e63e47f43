/**
 * The rules of this tree that no compiler or linter knows, as tests: how long a file may be, where Node, time and
 * randomness may enter core, and that imports point one way.
 */

import { readdirSync, readFileSync } from 'node:fs';
import { isBuiltin } from 'node:module';
import { dirname, join, relative, sep } from 'node:path';
import ts from 'typescript';
import { describe, expect, it } from 'vitest';
import { publishedPackages, workspaceRoot } from '../scripts/workspace.ts';

const LINES_MAX = 400;
const CORE = 'packages/core/src';

/** Folders of core that may use Node. */
const NODE_FOLDERS = [`${CORE}/file/`, `${CORE}/node/`];

/** Where time, timers and randomness come from; the simulated clock gives the host its turns. */
const HOST_PORTS = [`${CORE}/runtime/`, `${CORE}/testing/simulated-clock.ts`, ...NODE_FOLDERS];

/** Functions and classes of the host that core reaches through its ports only. */
const HOST_GLOBALS = new Set([
  'setTimeout',
  'setInterval',
  'setImmediate',
  'queueMicrotask',
  'requestAnimationFrame',
  'fetch',
]);

/** Members of the host's objects that read time or chance. */
const HOST_MEMBERS = new Set([
  'Date.now',
  'Math.random',
  'performance.now',
  'crypto.getRandomValues',
  'crypto.randomUUID',
]);

interface SourceFile {
  /** From the root of the workspace, with forward slashes. */
  readonly path: string;
  readonly tree: ts.SourceFile;
}

const sources: readonly SourceFile[] = publishedPackages()
  .flatMap(({ dir }) => readdirSync(join(dir, 'src'), { recursive: true, withFileTypes: true }))
  .filter((entry) => entry.isFile() && entry.name.endsWith('.ts') && !entry.name.endsWith('.test.ts'))
  .map((entry) => {
    const file = join(entry.parentPath, entry.name);
    const path = relative(workspaceRoot, file).split(sep).join('/');
    return {
      path,
      tree: ts.createSourceFile(path, readFileSync(file, 'utf8'), ts.ScriptTarget.ES2023, true),
    };
  });

const core = sources.filter(({ path }) => path.startsWith(`${CORE}/`));

function outside(folders: readonly string[]): SourceFile[] {
  return core.filter(({ path }) => !folders.some((folder) => path.startsWith(folder)));
}

/** Every module that a file names, `import type` and `import()` included. */
function importsOf({ tree }: SourceFile): string[] {
  return ts.preProcessFile(tree.text, true, true).importedFiles.map(({ fileName }) => fileName);
}

/** Uses of the host's time and chance, each as `path:line name`. */
function hostUses({ path, tree }: SourceFile): string[] {
  const found: string[] = [];
  const report = (node: ts.Node, name: string) => {
    const { line } = tree.getLineAndCharacterOfPosition(node.getStart(tree));
    found.push(`${path}:${line + 1} ${name}`);
  };
  const visit = (node: ts.Node): void => {
    if (ts.isCallExpression(node)) {
      const name = node.expression.getText(tree).replace(/^globalThis\./, '');
      if (HOST_GLOBALS.has(name)) report(node, name);
    }
    if (ts.isPropertyAccessExpression(node)) {
      const name = node.getText(tree).replace(/^globalThis\./, '');
      if (HOST_MEMBERS.has(name)) report(node, name);
    }
    const isDateOfNow =
      ts.isNewExpression(node) && node.expression.getText(tree) === 'Date' && !node.arguments?.length;
    if (isDateOfNow) report(node, 'new Date()');
    ts.forEachChild(node, visit);
  };
  visit(tree);
  return found;
}

/** The first circle found by walking the arrows depth first, as the paths along it; none gives an empty list. */
function findCircle(arrows: ReadonlyMap<string, readonly string[]>): string[] {
  const done = new Set<string>();
  const trail: string[] = [];
  const walk = (path: string): string[] => {
    if (done.has(path)) return [];
    const start = trail.indexOf(path);
    if (start >= 0) return [...trail.slice(start), path];
    trail.push(path);
    for (const next of arrows.get(path) ?? []) {
      const circle = walk(next);
      if (circle.length > 0) return circle;
    }
    trail.pop();
    done.add(path);
    return [];
  };
  for (const path of arrows.keys()) {
    const circle = walk(path);
    if (circle.length > 0) return circle;
  }
  return [];
}

describe('the source tree', () => {
  it(`has no file of more than ${LINES_MAX} lines`, () => {
    const long = sources
      .map(({ path, tree }) => ({ path, lines: tree.text.trimEnd().split('\n').length }))
      .filter(({ lines }) => lines > LINES_MAX)
      .map(({ path, lines }) => `${path}: ${lines} lines`);
    expect(long).toEqual([]);
  });

  it('leaves no unfinished work and no silenced compiler behind', () => {
    const marks = /\b(TODO|FIXME|XXX)\b|@ts-ignore|@ts-expect-error|@ts-nocheck/;
    expect(sources.filter(({ tree }) => marks.test(tree.text)).map(({ path }) => path)).toEqual([]);
  });

  it('imports Node in core only where its folder says so', () => {
    const importers = outside(NODE_FOLDERS)
      .map((file) => ({ path: file.path, builtins: importsOf(file).filter((name) => isBuiltin(name)) }))
      .filter(({ builtins }) => builtins.length > 0)
      .map(({ path, builtins }) => `${path}: ${builtins.join(', ')}`);
    expect(importers).toEqual([]);
  });

  it('takes time, timers, chance and the network in core from ports only', () => {
    expect(outside(HOST_PORTS).flatMap(hostUses)).toEqual([]);
  });

  it("keeps core's imports in one direction, types included", () => {
    const arrows = new Map(
      core.map((file) => [
        file.path,
        importsOf(file)
          .filter((specifier) => specifier.startsWith('.'))
          .map((specifier) => join(dirname(file.path), specifier).split(sep).join('/')),
      ]),
    );
    expect(findCircle(arrows)).toEqual([]);
  });
});

describe('the search for circles', () => {
  it('given arrows that come back to where they began, then names the way round', () => {
    const arrows = new Map([
      ['a', ['b', 'c']],
      ['b', []],
      ['c', ['d']],
      ['d', ['c']],
    ]);
    expect(findCircle(arrows)).toEqual(['c', 'd', 'c']);
  });
});
