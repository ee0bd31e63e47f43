/** The first example of each README, run as it stands, in a directory of its own. */

import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { engineMissing, startPrivateEngine } from '@skep/docker-driver/testing';
import { afterEach, describe, expect, it } from 'vitest';

const ROOT = join(import.meta.dirname, '..');
const dirs: string[] = [];
const missing = engineMissing();

afterEach(() => {
  for (const dir of dirs.splice(0)) rmSync(dir, { recursive: true, force: true });
});

interface Run {
  readonly dir: string;
  readonly child: ChildProcess;
  readonly lines: AsyncIterable<string>;
  readonly exit: Promise<number>;
}

/** Runs the first TypeScript block of a README, beside the given files. */
function runExampleOf(
  readme: string,
  files: Readonly<Record<string, string>> = {},
  environment: Readonly<Record<string, string>> = {},
): Run {
  const [, example = ''] = /```ts\n(.*?)```/s.exec(readFileSync(join(ROOT, readme), 'utf8')) ?? [];
  const cache = join(ROOT, 'node_modules/.cache');
  mkdirSync(cache, { recursive: true });
  const dir = mkdtempSync(join(cache, 'readme-'));
  dirs.push(dir);
  for (const [name, text] of Object.entries({ ...files, 'example.mts': example })) {
    writeFileSync(join(dir, name), text);
  }
  const args = ['--conditions=@skep/source', '--import=tsx', 'example.mts'];
  const child = spawn(process.execPath, args, {
    cwd: dir,
    env: { ...process.env, ...environment },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const exit = new Promise<number>((resolve) => child.once('close', (code) => resolve(code ?? -1)));
  return { dir, child, lines: createInterface({ input: child.stdout }), exit };
}

async function allLines({ lines, exit }: Run): Promise<string[]> {
  const all: string[] = [];
  for await (const line of lines) all.push(line);
  expect(await exit, all.join('\n')).toBe(0);
  return all;
}

/** Process groups of the tasks that outlive an example that was killed. */
function taskGroups(dir: string): Set<number> {
  const processes = execFileSync('ps', ['-eo', 'pgid=,args='], { encoding: 'utf8' }).split('\n');
  const own = processes.filter((line) => line.includes(`${dir}/state`));
  return new Set(own.map((line) => Number.parseInt(line, 10)));
}

describe('given the first example of a README, when it is run', () => {
  it('then that of the project brings up three tasks and tells their changes', async () => {
    const server = `require('http').createServer((_, r) => r.end()).listen(process.env.PORT ?? 0)`;
    const run = runExampleOf('README.md', { 'server.js': server, 'package.json': '{}' });
    let text = '';
    for await (const line of run.lines) {
      text += `${line}\n`;
      if (text.includes("type: 'synced'")) break;
    }
    run.child.kill('SIGKILL');
    const groups = taskGroups(run.dir);
    for (const group of groups) process.kill(-group, 'SIGKILL');
    expect(text.match(/type: 'current'/g)).toHaveLength(3);
    expect(groups.size).toBe(3);
  }, 60_000);

  it('then that of core runs two simulated tasks', async () => {
    expect(await allLines(runExampleOf('packages/core/README.md'))).toEqual(['2 of 2 tasks run']);
  }, 60_000);

  it('then that of Raft commits a command on three members', async () => {
    const lines = await allLines(runExampleOf('packages/raft/README.md'));
    expect(lines).toEqual(['committed', "[ 'hello' ]"]);
  }, 60_000);

  it('then that of the simulator sees a cluster survive its leader and a machine', async () => {
    expect(await allLines(runExampleOf('packages/simulator/README.md'))).toEqual([
      '6 of 6 tasks run, 1 worker is down, another manager leads',
    ]);
  }, 60_000);

  it('then that of the node makes a cluster of two managers', async () => {
    expect(await allLines(runExampleOf('packages/node/README.md'))).toEqual(['web']);
  }, 60_000);

  it('then that of the engine API asks a node who is there', async () => {
    expect(await allLines(runExampleOf('packages/engine-api/README.md'))).toEqual(['n1 answers']);
  }, 60_000);

  it('then that of the view counts three tasks that run', async () => {
    expect(await allLines(runExampleOf('packages/view/README.md'))).toEqual([
      'skep_tasks{state="running"} 3',
    ]);
  }, 60_000);

  it('then that of the mesh reaches both tasks', async () => {
    expect(await allLines(runExampleOf('packages/mesh/README.md'))).toEqual(['task a', 'task b']);
  }, 60_000);

  it('then that of the process driver prints its three tasks and ends', async () => {
    const lines = await allLines(runExampleOf('packages/process-driver/README.md'));
    expect(lines.sort()).toEqual([
      expect.stringMatching(/^web\.1 runs as pid \d+$/),
      expect.stringMatching(/^web\.2 runs as pid \d+$/),
      expect.stringMatching(/^web\.3 runs as pid \d+$/),
    ]);
  }, 60_000);

  it.skipIf(missing !== undefined)(
    missing ?? 'then that of the Docker driver runs three containers and removes them',
    async () => {
      const engine = await startPrivateEngine();
      try {
        const environment = { DOCKER_HOST: `unix://${engine.socketPath}` };
        const lines = await allLines(runExampleOf('packages/docker-driver/README.md', {}, environment));
        expect(lines.sort()).toEqual(
          [1, 2, 3].map((slot) => expect.stringMatching(`^web.${slot} runs as container [0-9a-f]{12}$`)),
        );
        expect(await engine.request('GET', '/containers/json?all=1')).toEqual([]);
      } finally {
        await engine.dispose();
      }
    },
    60_000,
  );
});
