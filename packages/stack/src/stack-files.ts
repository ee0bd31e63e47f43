/**
 * Files that a stack file names: secrets, configs, environments. Sits between the readers and the reader of files
 * that the caller gives, so that this package touches no disk itself. What a file holds is never in a message.
 */

import { type Place, type Reading, shown } from './reading.ts';

/** Reads a file by its path. Synchronous: in a browser, look the path up in what was loaded before. */
export type ReadFile = (path: string) => Uint8Array;

/** Where files are found, and who reads them. */
export interface FileAccess {
  readonly baseDir?: string | undefined;
  readonly readFile?: ReadFile | undefined;
}

const ABSOLUTE = /^(?:\/|\\\\|[A-Za-z]:[\\/])/;

/** A path of the file, seen from where the stack file stands. An absolute path stays as it is. */
export function resolvePath(path: string, baseDir: string | undefined): string {
  if (baseDir === undefined || ABSOLUTE.test(path)) return path;
  const relative = path.replace(/^(?:\.\/+)+/, '');
  const base = baseDir.replace(/(.)\/+$/, '$1');
  if (relative === '' || relative === '.') return base;
  return base.endsWith('/') ? `${base}${relative}` : `${base}/${relative}`;
}

/** True for a path that means the same wherever one stands. */
export function isAbsolutePath(path: string): boolean {
  return ABSOLUTE.test(path);
}

/** The bytes of a file that the place names, or a fault that names the file as it was written. */
export function readFileAt(
  reading: Reading,
  place: Place,
  path: string,
  access: FileAccess,
): Uint8Array | undefined {
  if (access.readFile === undefined) {
    return reading.issue(place, `names the file ${shown(place)}, but no readFile was given to read it`);
  }
  try {
    return access.readFile(resolvePath(path, access.baseDir));
  } catch (error) {
    // The message of a reader could quote the content; its code can't.
    const code =
      typeof error === 'object' && error !== null && 'code' in error ? `: ${String(error.code)}` : '';
    return reading.issue(place, `the file ${shown(place)} can't be read${code}`);
  }
}
