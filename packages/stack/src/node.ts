/**
 * `@skep/stack/node`: stack files from disk. The only file of this package that knows of Node.
 *
 * @packageDocumentation
 */

import { readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { InvalidSpecError } from '@skep/core';
import { type ParseStackOptions, parseStack, type Stack } from './parse-stack.ts';

/** How to read a stack file from disk. */
export type ReadStackFileOptions = Omit<ParseStackOptions, 'baseDir' | 'readFile'>;

/**
 * Reads a stack file and the files that it names, relative ones from its own directory.
 *
 * @param options.env Variables. Default: the environment of this process.
 * @throws InvalidSpecError when the file can't be read, or for what {@link parseStack} finds in it.
 */
export function readStackFile(path: string, options: ReadStackFileOptions = {}): Stack {
  const file = resolve(path);
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? `: ${String(error.code)}` : '';
    throw new InvalidSpecError([{ field: '', rule: `the stack file ${path} can't be read${code}` }]);
  }
  return parseStack(text, {
    env: process.env,
    ...options,
    baseDir: dirname(file),
    readFile: (wanted) => readFileSync(wanted),
  });
}
