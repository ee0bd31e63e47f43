/**
 * Checks every published package as npm would publish it: publint for its package.json, are-the-types-wrong for
 * what TypeScript resolves from it. Needs a build; names every fault, and exits non-zero when there is one.
 */

import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { publint } from 'publint';
import { formatMessage } from 'publint/utils';
import { type PackedPackage, packAll, workspaceRoot } from './workspace.ts';

const run = promisify(execFile);

async function publintFaults({ tarball }: PackedPackage): Promise<string[]> {
  const { buffer, byteOffset, byteLength } = await readFile(tarball);
  const { messages, pkg } = await publint({
    strict: true,
    pack: { tarball: buffer.slice(byteOffset, byteOffset + byteLength) },
  });
  return messages
    .filter(({ type }) => type !== 'suggestion')
    .map((message) => `publint: ${formatMessage(message, pkg, { color: false }) ?? message.code}`);
}

async function typeFaults({ tarball }: PackedPackage): Promise<string[]> {
  const attw = join(workspaceRoot, 'node_modules', '.bin', 'attw');
  const options = [
    '--profile',
    'esm-only',
    '--no-definitely-typed',
    '--no-color',
    '--no-emoji',
    '--format',
    'ascii',
  ];
  try {
    await run(attw, [tarball, ...options], { cwd: workspaceRoot });
    return [];
  } catch (error) {
    const { stdout, stderr } = error as { stdout?: string; stderr?: string };
    return [`are the types wrong: ${stdout ?? ''}${stderr ?? String(error)}`];
  }
}

const destination = await mkdtemp(join(tmpdir(), 'skep-check-'));
try {
  const packed = await packAll(destination);
  for (const packedPackage of packed) {
    const faults = [...(await publintFaults(packedPackage)), ...(await typeFaults(packedPackage))];
    console.log(
      `${packedPackage.manifest.name}: ${faults.length === 0 ? 'no faults' : `${faults.length} faults`}`,
    );
    for (const fault of faults) console.error(`  ${fault}`);
    if (faults.length > 0) process.exitCode = 1;
  }
} finally {
  await rm(destination, { recursive: true, force: true });
}
