/** A node with its API on a socket, and the docker CLI to drive it. All of it goes with the test. */

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { init, type SkepNode } from '@skep/node';
import { ProcessDriver } from '@skep/process-driver';
import { EngineApi } from '../engine-api.ts';
import { NodeMembership } from '../membership/node-membership.ts';
import { DockerCli } from './docker-cli.ts';
import { STAND_INS } from './stand-ins.ts';

/** A manager with its API. */
export class ApiNode implements AsyncDisposable {
  readonly node: SkepNode;
  readonly socket: string;
  readonly cli: DockerCli;
  readonly #api: EngineApi;
  readonly #dir: string;

  private constructor(parts: { node: SkepNode; api: EngineApi; dir: string; socket: string }) {
    this.node = parts.node;
    this.socket = parts.socket;
    this.cli = new DockerCli({ host: `unix://${parts.socket}`, home: join(parts.dir, 'home') });
    this.#api = parts.api;
    this.#dir = parts.dir;
  }

  /** A swarm of one node, whose tasks are processes. */
  static async open(): Promise<ApiNode> {
    const dir = await mkdtemp(join(tmpdir(), 'skep-api-'));
    const node = await init({
      dir: join(dir, 'node'),
      hostname: 'n1',
      listen: '127.0.0.1:0',
      driver: new ProcessDriver({ programs: STAND_INS, dir: join(dir, 'tasks') }),
    });
    const socket = join(dir, 'docker.sock');
    const api = new EngineApi({ membership: new NodeMembership(node, 'process') });
    await api.listen(socket);
    return new ApiNode({ node, api, dir, socket });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#api.close();
    await this.node.close({ tasks: 'stop' });
    await rm(this.#dir, { recursive: true, force: true });
  }
}
