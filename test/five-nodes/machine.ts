/**
 * A node's machine for tests: a network namespace on a common wire, with a Docker Engine of its own, and the agent as a
 * process in there that can be killed and started again.
 */

import { type ChildProcess, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { RuntimeTask } from '@skep/core/driver';
import { type PrivateEngine, startPrivateEngine } from '@skep/docker-driver/testing';
import type { MeshChange, MeshNode, MeshProblem } from '@skep/mesh';
import { AS_ROOT } from '../../packages/mesh/src/testing/kernel-requirements.ts';
import {
  type NetworkNamespace,
  networkNamespace,
} from '../../packages/mesh/src/testing/network-namespace.ts';
import type { Answer, Order } from './agent.ts';

const AGENT = fileURLToPath(new URL('agent.ts', import.meta.url));
/** Docker guards a machine as it guards a real one: nothing is forwarded that it was not told of. */
const GUARDED = ['--iptables=true', '--ip-masq=true', '--ip-forward=true'];

/** The wire between machines: a bridge in a namespace of its own, from which they are called, too. */
export async function layWire(): Promise<NetworkNamespace> {
  const wire = await networkNamespace('wire');
  const lines = [
    'link add name wire type bridge',
    'link set dev wire up',
    'address add 192.168.77.254/24 dev wire',
  ];
  await wire.run('ip', ['-batch', '-'], { input: `${lines.join('\n')}\n` });
  return wire;
}

/** A machine. */
export class Machine {
  readonly node: MeshNode;
  readonly namespace: NetworkNamespace;
  readonly engine: PrivateEngine;
  readonly #waiting = new Map<
    number,
    { resolve: (answer: Answer) => void; reject: (error: Error) => void }
  >();
  #agent: ChildProcess | undefined;
  #orders = 0;

  private constructor(node: MeshNode, namespace: NetworkNamespace, engine: PrivateEngine) {
    this.node = node;
    this.namespace = namespace;
    this.engine = engine;
  }

  /** @param number - the last part of its address: 192.168.77.1 */
  static async start(wire: NetworkNamespace, number: number): Promise<Machine> {
    const namespace = await networkNamespace(`n${number}`);
    const address = `192.168.77.${number}`;
    try {
      const plug = [
        `link add name port${number} type veth peer name eth0 netns ${namespace.name}`,
        `link set dev port${number} master wire up`,
      ];
      await wire.run('ip', ['-batch', '-'], { input: `${plug.join('\n')}\n` });
      const own = [
        `address add ${address}/24 dev eth0`,
        'link set dev eth0 up',
        'route add default via 192.168.77.254',
      ];
      await namespace.run('ip', ['-batch', '-'], { input: `${own.join('\n')}\n` });
      await namespace.run('sysctl', ['-q', '-w', 'net.ipv4.ip_forward=0']);
      const engine = await startPrivateEngine({ namespace: `/run/netns/${namespace.name}`, flags: GUARDED });
      const node = {
        id: `node-${number}-${randomUUID()}` as MeshNode['id'],
        hostname: `n${number}`,
        address,
      };
      return new Machine(node, namespace, engine);
    } catch (error) {
      await namespace[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** Starts the agent. @returns the public key of its node */
  async startAgent(): Promise<string> {
    const { node, engine, namespace } = this;
    const own = JSON.stringify({ node, socketPath: engine.socketPath });
    const [command = 'nsenter', ...args] = [...AS_ROOT, 'nsenter'];
    const agent = spawn(
      command,
      [
        ...args,
        `--net=/run/netns/${namespace.name}`,
        '--',
        process.execPath,
        '--conditions=@skep/source',
        '--import=tsx',
        AGENT,
        own,
      ],
      { stdio: ['pipe', 'pipe', 'inherit'] },
    );
    this.#agent = agent;
    agent.on('exit', () => {
      for (const { reject } of this.#waiting.values()) reject(new Error('the agent has ended'));
      this.#waiting.clear();
    });
    createInterface({ input: agent.stdout }).on('line', (line) => {
      const answer = JSON.parse(line) as Answer;
      const waiting = this.#waiting.get(answer.order);
      this.#waiting.delete(answer.order);
      if (answer.error === undefined) waiting?.resolve(answer);
      else waiting?.reject(new Error(answer.error));
    });
    const { publicKey = '' } = await this.#order({ kind: 'key' });
    return publicKey;
  }

  /** It kills itself by SIGKILL, so it has no time to tidy up. */
  async killAgent(): Promise<void> {
    const agent = this.#agent;
    this.#agent = undefined;
    if (agent === undefined) return;
    const ended = new Promise((resolve) => agent.once('exit', resolve));
    agent.stdin?.write(`${JSON.stringify({ kind: 'die' } satisfies Order)}\n`);
    await ended;
  }

  /** Has the data plane take a change in. @returns what it could not bring about */
  async apply(change: MeshChange): Promise<readonly MeshProblem[]> {
    return (await this.#order({ kind: 'apply', change })).problems ?? [];
  }

  /** Runs a task. */
  async run(task: RuntimeTask): Promise<void> {
    await this.#order({ kind: 'run', task });
  }

  async remove(task: RuntimeTask): Promise<void> {
    await this.#order({ kind: 'remove', task });
  }

  /** Runs a command beside a task. @returns its output @throws Error when it fails */
  async exec(task: RuntimeTask, command: readonly string[]): Promise<string> {
    return (await this.#order({ kind: 'exec', task, command })).output ?? '';
  }

  async dispose(): Promise<void> {
    await this.killAgent();
    await this.engine.dispose();
    // The process behind a tunnel ends with its device.
    const links = await this.namespace.run('ip', ['-o', 'link', 'show']);
    for (const [tunnel] of links.matchAll(/skw-\w+/g))
      await this.namespace.run('ip', ['link', 'delete', 'dev', tunnel]);
    await this.namespace[Symbol.asyncDispose]();
  }

  #order(order: Order): Promise<Answer> {
    const number = ++this.#orders;
    return new Promise((resolve, reject) => {
      if (this.#agent === undefined) throw new Error('there is no agent');
      this.#waiting.set(number, { resolve, reject });
      this.#agent.stdin?.write(`${JSON.stringify({ ...order, order: number })}\n`);
    });
  }
}
