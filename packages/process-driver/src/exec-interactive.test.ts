import type { ExecInput } from '@skep/core/driver';
import { afterEach, describe, expect, it } from 'vitest';
import type { ProcessDriver } from './index.ts';
import { RealMachine, until } from './testing/real-machine.ts';

let machine: RealMachine;

async function aTask(anyCommand = true) {
  machine = new RealMachine({ anyCommand });
  const driver: ProcessDriver = await machine.openDriver();
  const { signal } = new AbortController();
  const task = machine.task({ image: 'runs', env: { COLOUR: 'green' } });
  const runtime = driver.runtime(task);
  await runtime.prepare({ signal });
  await runtime.start({ signal });
  return runtime;
}

async function* pieces(...texts: readonly string[]): AsyncGenerator<ExecInput, void, undefined> {
  for (const text of texts) yield { kind: 'data', data: new TextEncoder().encode(text) };
}

afterEach(async () => {
  await machine.dispose();
});

describe('given a task and a command beside it that somebody works with', () => {
  it('when input comes and ends, then both outputs and the exit code come back', async () => {
    const runtime = await aTask();
    const { signal } = new AbortController();
    const command = ['/bin/sh', '-c', 'cat; echo "$COLOUR" >&2; exit 3'];
    const told = { stdout: '', stderr: '', exitCode: -1 };
    for await (const output of runtime.execInteractive?.(command, { input: pieces('a', 'b'), signal }) ??
      []) {
      if (output.kind === 'exit') told.exitCode = output.exitCode;
      else told[output.stream] += new TextDecoder().decode(output.data);
    }
    expect(told).toEqual({ stdout: 'ab', stderr: 'green\n', exitCode: 3 });
  });

  it('when nobody reads any more, then the command and its children are ended', async () => {
    const runtime = await aTask();
    const { signal } = new AbortController();
    const command = ['/bin/sh', '-c', 'echo $$; sleep 100000'];
    let pid = 0;
    for await (const output of runtime.execInteractive?.(command, { input: pieces(), signal }) ?? []) {
      if (output.kind === 'output') pid = Number(new TextDecoder().decode(output.data));
      break;
    }
    await until(() => {
      try {
        return !process.kill(pid, 0);
      } catch {
        return true;
      }
    });
  });

  it('when a terminal is asked for, or a program that is not there, then it is refused', async () => {
    const runtime = await aTask();
    const { signal } = new AbortController();
    const first = (command: string[], tty: boolean) =>
      runtime.execInteractive?.(command, { input: pieces(), signal, tty })[Symbol.asyncIterator]().next();
    await expect(first(['true'], true)).rejects.toThrow('tty');
    await expect(first(['no-such-program'], false)).rejects.toThrow('no-such-program');
  });

  it("when the driver's owner lets only programs of a list run, then it is refused", async () => {
    const runtime = await aTask(false);
    const { signal } = new AbortController();
    const running = runtime.execInteractive?.(['true'], { input: pieces(), signal });
    await expect(running?.[Symbol.asyncIterator]().next()).rejects.toThrow('anyCommand');
  });
});
