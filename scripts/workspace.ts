/**
 * What this workspace publishes, read from its package.json files, and how it is packed. Shared by the package
 * checks and by the tests that install the tarballs; it changes nothing but the directory it is told to pack to.
 */

import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** The root of the workspace, an absolute path. */
export const workspaceRoot: string = join(import.meta.dirname, '..');

/** One target of an `exports` map, by condition. */
export type ExportTarget = string | Readonly<Record<string, string>>;

/** The part of a package.json that the checks read. */
export interface Manifest {
  readonly name: string;
  readonly version: string;
  readonly private?: boolean;
  readonly workspaces?: readonly string[];
  readonly exports?: Readonly<Record<string, ExportTarget>>;
  readonly devDependencies?: Readonly<Record<string, string>>;
}

/** A package of the workspace that is published. */
export interface WorkspacePackage {
  readonly dir: string;
  readonly manifest: Manifest;
}

/** A packed package: its tarball, and the paths of the files in it. */
export interface PackedPackage extends WorkspacePackage {
  readonly tarball: string;
  readonly files: readonly string[];
}

/** Reads the package.json of a directory. */
export function readManifest(dir: string): Manifest {
  return JSON.parse(readFileSync(join(dir, 'package.json'), 'utf8')) as Manifest;
}

/** The packages of the workspace that are not private, in the order of their dependencies. */
export function publishedPackages(): WorkspacePackage[] {
  return (readManifest(workspaceRoot).workspaces ?? [])
    .map((path) => join(workspaceRoot, path))
    .map((dir) => ({ dir, manifest: readManifest(dir) }))
    .filter(({ manifest }) => manifest.private !== true);
}

/**
 * The environment for an npm that is started by an npm: without the variables that tie it to the outer run, with
 * those that say where the registry and the cache are.
 */
export function npmEnvironment(): NodeJS.ProcessEnv {
  const tied =
    /^npm_(package_|lifecycle_|command$|execpath$|config_(local_prefix|workspace|include_workspace))/i;
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !tied.test(name)));
}

/** Packs every published package, as built, into `destination`. */
export async function packAll(destination: string): Promise<PackedPackage[]> {
  const packages = publishedPackages();
  return Promise.all(
    packages.map(async (workspacePackage) => {
      const { stdout } = await run('npm', ['pack', '--json', '--pack-destination', destination], {
        cwd: workspacePackage.dir,
        env: npmEnvironment(),
        maxBuffer: 64 * 2 ** 20,
      });
      const { filename, files } = firstPacked(JSON.parse(stdout));
      return {
        ...workspacePackage,
        tarball: join(destination, filename),
        files: files.map(({ path }) => path),
      };
    }),
  );
}

interface NpmPackResult {
  readonly filename: string;
  readonly files: readonly { readonly path: string }[];
}

/** npm prints a list; from version 12 on an object keyed by package name. */
function firstPacked(
  printed: readonly NpmPackResult[] | Readonly<Record<string, NpmPackResult>>,
): NpmPackResult {
  const [first] = Object.values(printed);
  if (first === undefined) throw new Error('npm pack printed no package');
  return first;
}
