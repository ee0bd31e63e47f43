import { readdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { runExample } from '../run-example.ts';

const stack = (name: string) => fileURLToPath(new URL(`../stacks/${name}.yaml`, import.meta.url));
const start = (...args: string[]) => runExample('mini-cluster/main.ts', args);

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

async function stateDirs(): Promise<string[]> {
  return (await readdir(tmpdir())).filter((name) => name.startsWith('skep-mini-cluster-')).sort();
}

describe('given the mini-cluster with its own stack', () => {
  it('when it is run once, then it exits with 0 after all has converged, and shows its tables', async () => {
    const { lines, exit } = start('--once');
    expect(await exit, lines.join('\n')).toBe(0);
    const text = lines.join('\n');
    expect(text).toMatch(/hello_web +replicated +3\/3 +skep-hello-web +\*:8080->80\/tcp/);
    expect(text).toMatch(/hello_worker +replicated +2\/2 +skep-hello-worker/);
    expect(lines.filter((line) => /Running +Running \d+ s ago/.test(line))).toHaveLength(5);
  });

  it('when a task is killed, then it is healed; when it is interrupted, then nothing is left', async () => {
    const before = await stateDirs();
    const running = start();
    const pid = pidOf(await running.line(/kill -9 \d+/));
    process.kill(pid, 'SIGKILL');
    const failed = await running.line(/^hello_\w+\.\d failed/);
    const [name = ''] = failed.split(' ');
    const healed = () => running.lines.filter((line) => line.startsWith(`${name} running`)).length === 2;
    while (!healed()) await Promise.race([nextLine(running.child), running.exit]);
    running.child.kill('SIGINT');
    expect(await running.exit).toBe(0);
    expect(isAlive(pid)).toBe(false);
    expect(await stateDirs()).toEqual(before);
  });
});

function nextLine(child: ReturnType<typeof start>['child']): Promise<void> {
  return new Promise((resolve) => child.stdout?.once('data', () => resolve()));
}

describe('given a stack that can not run here', () => {
  it('when it is run once, then it exits with 1 and says why of each service', async () => {
    const { lines, exit } = start('--once', '--timeout', '2', '--stack', stack('drupal'));
    expect(await exit).toBe(1);
    const text = lines.join('\n');
    expect(text).toContain(
      `drupal_psql: 0 of 1 tasks run: task rejected: image: unknown image 'postgres:14'`,
    );
    expect(text).toContain(`drupal_drupal: 0 of 1 tasks run: task rejected: image: unknown image 'drupal:9'`);
  });

  it('when the file is not there, then it exits with 1 and says so', async () => {
    const { lines, exit } = start('--once', '--stack', 'no-such-file.yaml');
    expect(await exit).toBe(1);
    expect(lines.join('\n')).toContain('no-such-file.yaml');
  });
});
