import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runExample } from '../run-example.ts';

const stack = (name: string) => fileURLToPath(new URL(`../stacks/${name}.yaml`, import.meta.url));

/** Many processes on a busy machine take their time. */
const LONG_MS = 120_000;

/** The pid of a task that the mini-cluster told in its hint. */
function pidOf(hint: string): number {
  const [, pid] = /kill -9 (\d+)/.exec(hint) ?? [];
  return Number(pid);
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

/** Resolves once the process is gone. */
async function gone(pid: number): Promise<void> {
  while (isAlive(pid)) await new Promise((resolve) => setTimeout(resolve, 50));
}

let home: string;

beforeAll(async () => {
  home = await mkdtemp(join(tmpdir(), 'skep-mini-cluster-test-'));
});

afterAll(() => rm(home, { recursive: true, force: true }));

/** Starts it with temporary files in `home`. */
const start = (...args: string[]) => runExample('mini-cluster/main.ts', args, { TMPDIR: home });

/** What it left there. `tsx` keeps files of its own there, too. */
async function left(): Promise<string[]> {
  return (await readdir(home)).filter((name) => name.startsWith('skep-mini-cluster-'));
}

/** Processes of nodes that it told. */
function nodePids(lines: readonly string[]): number[] {
  return lines.flatMap((line) => / is up: pid (\d+), /.exec(line)?.[1] ?? []).map(Number);
}

/** Addresses of nodes that its tables told. */
function nodeHosts(lines: readonly string[]): string[] {
  return [...new Set(lines.flatMap((line) => / (127\.\d+\.0\.1):\d+ +\d+$/.exec(line)?.[1] ?? []))];
}

/** What the published port answers there, once it does: a node hears of the service a moment after it runs. */
async function answerOf(host: string): Promise<string> {
  for (;;) {
    const answer = await fetch(`http://${host}:8080/`).catch(() => undefined);
    if (answer?.ok) return answer.text();
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

describe('given the mini-cluster with its own stack', () => {
  it(
    'when it is run once, then it exits with 0 after all has converged, and shows its tables',
    async () => {
      const { lines, exit } = start('--once');
      expect(await exit, lines.join('\n')).toBe(0);
      const text = lines.join('\n');
      expect(text).toMatch(/hello_web +replicated +3\/3 +skep-hello-web +\*:8080->80\/tcp/);
      expect(text).toMatch(/hello_worker +replicated +2\/2 +skep-hello-worker/);
      expect(lines.filter((line) => /Running +Running \d+ s ago/.test(line))).toHaveLength(5);
      expect(text.match(/manager-\d +Ready +Active +(Leader|Reachable)/g)).toHaveLength(3);
      expect(text.match(/worker-\d +Ready +Active/g)).toHaveLength(2);
      expect(await left()).toEqual([]);
    },
    LONG_MS,
  );

  it(
    'when a task is killed, then it is healed; when it is interrupted, then nothing is left',
    async () => {
      const running = start();
      const pid = pidOf(await running.line(/kill -9 \d+/));
      const hosts = nodeHosts(running.lines);
      // Elsewhere than on Linux the nodes share one address, and so do their published ports.
      if (process.platform === 'linux') expect(hosts).toHaveLength(5);
      for (const host of hosts) expect(await answerOf(host)).toMatch(/^Hello from Skep: task hello_web/);
      process.kill(pid, 'SIGKILL');
      const failed = await running.line(/^hello_\w+\.\d failed/);
      const [name = ''] = failed.split(' ');
      const healed = () => running.lines.filter((line) => line.startsWith(`${name} running`)).length === 2;
      while (!healed()) await Promise.race([nextLine(running.child), running.exit]);
      running.child.kill('SIGINT');
      expect(await running.exit).toBe(0);
      expect([pid, ...nodePids(running.lines)].filter(isAlive)).toEqual([]);
      expect(await left()).toEqual([]);
    },
    LONG_MS,
  );

  it(
    'when the launcher is killed, then its nodes and their tasks end by themselves, and nothing is left',
    async () => {
      const running = start('--managers', '1', '--workers', '1');
      const pid = pidOf(await running.line(/kill -9 \d+/));
      const nodes = nodePids(running.lines);
      expect(nodes).toHaveLength(2);
      running.child.kill('SIGKILL');
      for (const each of [pid, ...nodes]) await gone(each);
      expect(await left()).toEqual([]);
    },
    LONG_MS,
  );

  it(
    'when it is kept and ended, then it goes on where it was next time, with the tasks still running',
    async () => {
      const args = ['--dir', join(home, 'kept'), '--managers', '1', '--workers', '1', '--once'];
      const first = start(...args);
      expect(await first.exit, first.lines.join('\n')).toBe(0);
      const again = start(...args, '--stop-tasks');
      expect(await again.exit, again.lines.join('\n')).toBe(0);
      const idsOf = (lines: readonly string[]) =>
        lines.flatMap((line) => /^([0-9a-z]{12}) {3}/.exec(line)?.[1] ?? []);
      expect(idsOf(again.lines)).toEqual(idsOf(first.lines));
      expect(again.lines.filter((line) => / assigned on /.test(line))).toEqual([]);
    },
    LONG_MS,
  );

  it(
    'when it is one manager alone, then that runs all',
    async () => {
      const { lines, exit } = start('--once', '--managers', '1', '--workers', '0');
      expect(await exit, lines.join('\n')).toBe(0);
      expect(lines.filter((line) => / manager-1 +Running +Running /.test(line))).toHaveLength(5);
    },
    LONG_MS,
  );
});

function nextLine(child: ReturnType<typeof start>['child']): Promise<void> {
  return new Promise((resolve) => child.stdout?.once('data', () => resolve()));
}

describe('given a stack that can not run here', () => {
  it(
    'when it is run once, then it exits with 1 and says why of each service',
    async () => {
      const { lines, exit } = start('--once', '--timeout', '2', '--stack', stack('drupal'));
      expect(await exit).toBe(1);
      const text = lines.join('\n');
      expect(text).toContain(
        `drupal_psql: 0 of 1 tasks run: task rejected: image: unknown image 'postgres:14'`,
      );
      expect(text).toContain(
        `drupal_drupal: 0 of 1 tasks run: task rejected: image: unknown image 'drupal:9'`,
      );
    },
    LONG_MS,
  );

  it('when the file is not there, then it exits with 1 and says so', async () => {
    const { lines, exit } = start('--once', '--stack', 'no-such-file.yaml');
    expect(await exit).toBe(1);
    expect(lines.join('\n')).toContain('no-such-file.yaml');
  });
});
