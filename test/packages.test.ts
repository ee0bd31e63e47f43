/**
 * What a stranger gets: every published package packed, installed as a tarball in an empty project outside this
 * tree, compiled against with the strictest settings, and run. It needs npm and its registry (or npm's cache).
 */

import { execFile } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { copyFile, mkdir, mkdtemp, readFile as readFileAsync, rm, writeFile } from 'node:fs/promises';
import { isBuiltin } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { promisify } from 'node:util';
import { createContext, runInContext } from 'node:vm';
import { build } from 'tsup';
import ts from 'typescript';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  npmEnvironment,
  type PackedPackage,
  packAll,
  publishedPackages,
  readManifest,
  workspaceRoot,
} from '../scripts/workspace.ts';

const run = promisify(execFile);
const MINUTE = 60_000;
const TSC = join(workspaceRoot, 'node_modules', 'typescript', 'bin', 'tsc');

/** Entries of core that say by their name that they need Node; all others must do without it. */
const NODE_ENTRIES = new Set([
  '@skep/core/file',
  '@skep/core/node',
  '@skep/process-driver',
  '@skep/mesh',
  '@skep/node',
  '@skep/docker-driver',
  '@skep/engine-api',
  '@skep/docker-driver/testing',
  '@skep/view/node',
  '@skep/raft/tcp-transport',
  '@skep/raft/file-storage',
]);

let project: string;
let packed: readonly PackedPackage[];

/** Runs a program in the consumer's project; a failure carries what it printed. */
async function runInProject(file: string, args: readonly string[]): Promise<string> {
  try {
    const { stdout } = await run(file, args, { cwd: project, env: npmEnvironment(), timeout: 2 * MINUTE });
    return stdout;
  } catch (error) {
    const { stdout, stderr } = error as { stdout?: string; stderr?: string };
    throw new Error(`${file} ${args.join(' ')} failed:\n${stdout ?? ''}${stderr ?? ''}`);
  }
}

/** Files below `dir`, as absolute paths. */
function filesBelow(dir: string): string[] {
  return readdirSync(dir, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name));
}

function newest(files: readonly string[]): number {
  return Math.max(0, ...files.map((file) => statSync(file).mtimeMs));
}

/** True when a dist is absent, or older than what it is made of. */
function buildIsStale(): boolean {
  let newestSource = 0;
  return publishedPackages().some(({ dir }) => {
    const sources = [...filesBelow(join(dir, 'src')), join(dir, 'package.json'), join(dir, 'tsup.config.ts')];
    newestSource = Math.max(newestSource, newest(sources.filter((file) => !file.endsWith('.test.ts'))));
    const built = join(dir, 'dist', 'index.d.ts');
    return !existsSync(built) || statSync(built).mtimeMs < newestSource;
  });
}

/** What a consumer may write after `from`: every entry of every package that holds code. */
function entriesOf({ manifest }: PackedPackage): string[] {
  return Object.keys(manifest.exports ?? {})
    .filter((path) => !path.endsWith('.json'))
    .map((path) => manifest.name + path.slice(1));
}

/** A module that imports each entry whole, so that every declaration reachable from it is checked. */
function importEach(entries: readonly string[]): string {
  const imports = entries.map((entry, index) => `import * as entry${index} from '${entry}';`);
  const names = entries.map((_, index) => `entry${index}`).join(', ');
  return `${imports.join('\n')}\nexport const entries: readonly object[] = [${names}];\n`;
}

/**
 * A consumer's tsconfig. Beyond `strict` it sets the two flags that careful projects add: XState's own declarations
 * don't stand `exactOptionalPropertyTypes`, so no type of XState may be reachable from what core exports.
 */
async function writeTsconfig(name: string, file: string, options: Record<string, unknown>): Promise<void> {
  const compilerOptions = {
    target: 'ES2023',
    module: 'NodeNext',
    strict: true,
    exactOptionalPropertyTypes: true,
    noUncheckedIndexedAccess: true,
    skipLibCheck: false,
    rootDir: '.',
    outDir: 'out',
    ...options,
  };
  await writeFile(join(project, name), JSON.stringify({ compilerOptions, files: [file] }, null, 2));
}

beforeAll(async () => {
  if (buildIsStale()) {
    await run('npm', ['run', 'build'], {
      cwd: workspaceRoot,
      env: npmEnvironment(),
      maxBuffer: 64 * 2 ** 20,
    });
  }
  project = await mkdtemp(join(tmpdir(), 'skep-consumer-'));
  packed = await packAll(project);
  const nodeTypes = readManifest(workspaceRoot).devDependencies?.['@types/node'];
  const manifest = {
    name: 'consumer',
    private: true,
    type: 'module',
    dependencies: Object.fromEntries(
      packed.map((each) => [each.manifest.name, `file:./${relative(project, each.tarball)}`]),
    ),
    devDependencies: { '@types/node': nodeTypes },
  };
  await writeFile(join(project, 'package.json'), JSON.stringify(manifest, null, 2));
  await runInProject('npm', ['install', '--prefer-offline', '--no-audit', '--no-fund']);
}, 5 * MINUTE);

afterAll(async () => {
  if (project !== undefined) await rm(project, { recursive: true, force: true });
});

describe('given every published package, installed from its tarball in an empty project', () => {
  it('then each tarball holds its licence and what its exports name, and no test', () => {
    for (const { manifest, files } of packed) {
      const named = Object.values(manifest.exports ?? {}).flatMap(filesNamedBy);
      expect(files, manifest.name).toEqual(
        expect.arrayContaining(['LICENSE', ...named.map((path) => path.replace('./', ''))]),
      );
      expect(
        files.filter((path) => path.includes('.test.')),
        manifest.name,
      ).toEqual([]);
    }
  });

  it(
    'when a program for Node imports every entry, then it compiles with skipLibCheck off, and loads',
    async () => {
      await writeFile(join(project, 'every-entry.ts'), importEach(packed.flatMap(entriesOf)));
      await writeTsconfig('tsconfig.node.json', 'every-entry.ts', {
        lib: ['ES2023', 'ESNext.Disposable'],
        types: ['node'],
      });
      await runInProject(process.execPath, [TSC, '-p', 'tsconfig.node.json']);
      await runInProject(process.execPath, [join('out', 'every-entry.js')]);
    },
    2 * MINUTE,
  );

  it(
    "when a program for browsers imports every entry but Node's, then it compiles without Node's types",
    async () => {
      const entries = packed.flatMap(entriesOf).filter((entry) => !NODE_ENTRIES.has(entry));
      await writeFile(join(project, 'browser.ts'), importEach(entries));
      await writeTsconfig('tsconfig.browser.json', 'browser.ts', {
        lib: ['ES2023', 'ESNext.Disposable', 'DOM'],
        types: [],
        noEmit: true,
      });
      await runInProject(process.execPath, [TSC, '-p', 'tsconfig.browser.json']);
    },
    2 * MINUTE,
  );

  it(
    'when a cluster and the simulation of Raft are bundled for browsers, then they run without anything of Node',
    async () => {
      const program = [
        "import { Cluster } from '@skep/core';",
        "import { SimulatedDriver, systemClock } from '@skep/core/testing';",
        "import { SimulatedMemoryDisks, simulateNodes } from '@skep/raft/simulator';",
        'const turn = () => new Promise((resolve) => setTimeout(resolve, 0));',
        'globalThis.told = (async () => {',
        '  const cluster = await Cluster.open({ driver: new SimulatedDriver({ clock: systemClock }) });',
        "  await cluster.services.create({ name: 'web', task: { image: 'web' }, replicas: 2 });",
        "  const { running } = await cluster.services.waitFor('web', 'running', { timeout: 5_000 });",
        '  await cluster.close();',
        "  const refused = await Cluster.open({ dir: '/anywhere' }).catch((error) => error.code);",
        '  const disks = new SimulatedMemoryDisks();',
        '  const { violation } = await simulateNodes({ seed: 2, steps: 200, turn, disks });',
        '  return [running, refused, violation];',
        '})();',
      ];
      await writeFile(join(project, 'page.js'), program.join('\n'));
      await build({
        entry: [join(project, 'page.js')],
        outDir: join(project, 'page'),
        format: 'iife',
        platform: 'browser',
        noExternal: [/.*/],
        config: false,
        silent: true,
        esbuildOptions: (options) => {
          options.conditions = ['browser'];
        },
      });
      const globals = {
        setTimeout,
        clearTimeout,
        queueMicrotask,
        MessageChannel,
        AbortController,
        AbortSignal,
      };
      const page: { told?: Promise<unknown> } = createContext({
        ...globals,
        ...{ crypto, performance, TextEncoder, TextDecoder, Event, EventTarget, fetch, URL },
      });
      const script = await readFileAsync(join(project, 'page', 'page.global.js'), 'utf8');
      runInContext(script, page);
      expect(await page.told).toEqual([2, 'PRECONDITION_FAILED', undefined]);
    },
    2 * MINUTE,
  );

  it(
    'when the embed example is copied there, then it compiles, runs and ends by itself',
    async () => {
      const source = join(workspaceRoot, 'examples', 'embed', 'embed.ts');
      await mkdir(join(project, 'embed'));
      await copyFile(source, join(project, 'embed', 'embed.ts'));
      await writeTsconfig('tsconfig.embed.json', 'embed/embed.ts', {
        lib: ['ES2023', 'ESNext.Disposable'],
        types: ['node'],
      });
      await runInProject(process.execPath, [TSC, '-p', 'tsconfig.embed.json']);
      const printed = await runInProject(process.execPath, [join('out', 'embed', 'embed.js')]);
      expect(printed.trim()).not.toBe('');
    },
    2 * MINUTE,
  );
});

describe("given core's built main entry", () => {
  it('when its static imports are followed, then none of them is a module of Node', () => {
    const core = packed.find(({ manifest }) => manifest.name === '@skep/core');
    const entry = join(core?.dir ?? '', 'dist', 'index.js');
    const seen = new Set<string>([entry]);
    const external = new Set<string>();
    for (const file of seen) {
      for (const specifier of staticImports(file)) {
        if (specifier.startsWith('.')) seen.add(join(dirname(file), specifier));
        else external.add(specifier);
      }
    }
    expect([...external].filter((specifier) => isBuiltin(specifier))).toEqual([]);
    expect([...external].filter((specifier) => NODE_ENTRIES.has(specifier))).toEqual([]);
  });
});

/** The files that one export names, under whichever conditions. */
function filesNamedBy(target: unknown): string[] {
  return typeof target === 'string' ? [target] : Object.values(target ?? {}).flatMap(filesNamedBy);
}

/** What a module imports before it runs; `import()` is not among it. */
function staticImports(file: string): string[] {
  const source = ts.createSourceFile(file, readFileSync(file, 'utf8'), ts.ScriptTarget.ES2023);
  return source.statements.flatMap((statement) => {
    if (!ts.isImportDeclaration(statement) && !ts.isExportDeclaration(statement)) return [];
    const specifier = statement.moduleSpecifier;
    return specifier !== undefined && ts.isStringLiteral(specifier) ? [specifier.text] : [];
  });
}
