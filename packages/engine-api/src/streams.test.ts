/** Streams: events as they happen, and output as multiplexed frames. */

import type { IncomingMessage } from 'node:http';
import { createInterface } from 'node:readline';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ApiNode } from './test-support/api-node.ts';
import { ask, begin } from './test-support/http.ts';

let here: ApiNode;

beforeAll(async () => {
  here = await ApiNode.open();
});

afterAll(async () => {
  await here?.[Symbol.asyncDispose]();
});

function open(path: string): Promise<IncomingMessage> {
  return begin({ socketPath: here.socket, path });
}

async function take(lines: AsyncIterator<string>, count: number): Promise<unknown[]> {
  const taken: unknown[] = [];
  while (taken.length < count) {
    const { value, done } = await lines.next();
    if (done) break;
    taken.push(JSON.parse(value));
  }
  return taken;
}

function task(name: string, ...args: string[]) {
  return {
    Name: name,
    TaskTemplate: { ContainerSpec: { Image: 'alpine', Args: args } },
    Mode: { Replicated: { Replicas: 1 } },
  };
}

describe('given somebody who listens to events', () => {
  it('when services come, change and go, then each is told as it happens', async () => {
    const response = await open('/v1.50/events?filters={"type":["service"]}');
    const lines = createInterface({ input: response })[Symbol.asyncIterator]();
    const { json } = await ask(here.socket, 'POST', '/services/create', task('told'));
    const { ID: id } = json as { ID: string };
    await here.node.cluster.services.scale('told', 2);
    await here.node.cluster.services.remove('told');
    const events = await take(lines, 3);
    response.destroy();
    const about = { Type: 'service', scope: 'swarm', time: expect.any(Number), timeNano: expect.any(Number) };
    expect(events).toEqual([
      { ...about, Action: 'create', Actor: { ID: id, Attributes: { name: 'told' } } },
      {
        ...about,
        Action: 'update',
        Actor: { ID: id, Attributes: { name: 'told', 'replicas.old': '1', 'replicas.new': '2' } },
      },
      { ...about, Action: 'remove', Actor: { ID: id, Attributes: { name: 'told' } } },
    ]);
  });

  it('when the past is asked for up to now, then it is told, and the stream ends', async () => {
    const until = Date.now() / 1_000;
    const { text } = await ask(
      here.socket,
      'GET',
      `/events?since=0&until=${until}&filters={"service":["told"]}`,
    );
    const actions = text
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line).Action);
    expect(actions).toEqual(['create', 'update', 'remove']);
  });

  it('when nothing passes or filters are wrong, then that is what comes', async () => {
    expect(await ask(here.socket, 'GET', '/events?since=0&until=1')).toMatchObject({ status: 200, text: '' });
    expect(await ask(here.socket, 'GET', '/events?filters=bad')).toMatchObject({
      status: 400,
      json: { message: 'invalid filter' },
    });
  });
});

interface Frame {
  readonly stream: number;
  readonly line: string;
}

function framesOf(bytes: Buffer): Frame[] {
  const frames: Frame[] = [];
  for (let at = 0; at < bytes.length; ) {
    const length = bytes.readUInt32BE(at + 4);
    frames.push({ stream: bytes[at] ?? 0, line: bytes.subarray(at + 8, at + 8 + length).toString() });
    at += 8 + length;
  }
  return frames;
}

describe('given a service that prints', () => {
  let id = '';

  beforeAll(async () => {
    const { services } = here.node.cluster;
    id = (await services.create({ name: 'printing', task: { image: 'alpine', args: ['hello'] } })).id;
    await services.waitFor('printing', 'running', { timeout: 30_000 });
  });

  async function readLogs(query: string): Promise<Frame[]> {
    const response = await open(`/v1.50/services/printing/logs?${query}`);
    expect(response.headers['content-type']).toBe('application/vnd.docker.multiplexed-stream');
    return framesOf(Buffer.concat(await response.toArray()));
  }

  it('when its output is read with details and times, then each line is a frame that says where it is from', async () => {
    const [task] = here.node.cluster.tasks.list({ service: 'printing' });
    const details = `com.docker.swarm.node.id=${here.node.nodeId},com.docker.swarm.service.id=${id},com.docker.swarm.task.id=${task?.id} `;
    expect(await readLogs('stdout=1&stderr=1')).toEqual([{ stream: 1, line: 'started hello\n' }]);
    expect(await readLogs('stdout=1&details=1')).toEqual([{ stream: 1, line: `${details}started hello\n` }]);
    const [timed] = await readLogs('stdout=1&timestamps=1');
    expect(timed?.line).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z started hello\n$/);
    expect(await readLogs('stderr=1')).toEqual([]);
    expect(await readLogs('stdout=1&tail=0')).toEqual([]);
    expect(await readLogs(`stdout=1&since=${Date.now() / 1_000 + 60}`)).toEqual([]);
  });

  it('when it is followed, then the stream stays open until the client goes', async () => {
    const response = await open('/v1.50/services/printing/logs?stdout=1&follow=1');
    const chunks = response[Symbol.asyncIterator]();
    const { value } = await chunks.next();
    expect(framesOf(value)).toEqual([{ stream: 1, line: 'started hello\n' }]);
    response.destroy();
  });

  it('when no stream is chosen, or nothing of that name is there, then that is refused as the engine does', async () => {
    expect(await ask(here.socket, 'GET', '/services/printing/logs')).toMatchObject({
      status: 500,
      json: { message: 'Bad parameters: you must choose at least one stream' },
    });
    expect(await ask(here.socket, 'GET', '/tasks/nosuch/logs?stdout=1')).toMatchObject({
      status: 404,
      json: { message: 'task nosuch not found' },
    });
  });
});
