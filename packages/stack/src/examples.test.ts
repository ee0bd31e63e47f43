/** The stack files that ship as examples become the specs that they are meant to be. */

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { InvalidSpecError, parseServiceSpec } from '@skep/core';
import { expect, test } from 'vitest';
import { readStackFile } from './node.ts';

function example(name: string, env: Record<string, string> = {}) {
  return readStackFile(fileURLToPath(new URL(`../../../examples/stacks/${name}.yaml`, import.meta.url)), {
    env,
  });
}

const ingress = (published: number, target: number) => [
  { published, target, protocol: 'tcp' as const, mode: 'ingress' as const },
];
const labelsOf = (stack: string, image: string) => ({
  'com.docker.stack.namespace': stack,
  'com.docker.stack.image': image,
});

test('given hello.yaml, when it is parsed, then it is a website of three tasks and a worker of two', () => {
  const stack = example('hello');
  expect(stack.warnings).toEqual([]);
  expect(stack.networks.map(({ name }) => name)).toEqual(['hello_default']);
  expect(stack.services).toEqual([
    {
      name: 'hello_web',
      labels: labelsOf('hello', 'skep-hello-web'),
      replicas: 3,
      ports: ingress(8080, 80),
      task: {
        image: 'skep-hello-web',
        env: { GREETING: 'Hello from Skep' },
        labels: { 'com.docker.stack.namespace': 'hello' },
        stopGraceMs: 5_000,
        health: {
          test: { kind: 'http', port: 80, path: '/health' },
          intervalMs: 5_000,
          timeoutMs: 2_000,
          retries: 3,
          startPeriodMs: 10_000,
        },
        networks: [{ name: 'hello_default', aliases: ['web'] }],
      },
    },
    {
      name: 'hello_worker',
      labels: labelsOf('hello', 'skep-hello-worker'),
      replicas: 2,
      task: {
        image: 'skep-hello-worker',
        env: { TICK_SECONDS: '3' },
        labels: { 'com.docker.stack.namespace': 'hello' },
        stopGraceMs: 5_000,
        restart: { condition: 'any', delayMs: 2_000 },
        networks: [{ name: 'hello_default', aliases: ['worker'] }],
      },
    },
  ]);
});

test('given drupal.yaml, when it is parsed, then it is the database and the website on one overlay network', () => {
  const stack = example('drupal', { POSTGRES_PASSWORD: 'other' });
  const labels = { 'com.docker.stack.namespace': 'drupal' };
  expect(stack.warnings).toEqual([]);
  expect(stack.networks).toEqual([{ name: 'mydrupal', driver: 'overlay', labels }]);
  expect(stack.services).toEqual([
    {
      name: 'drupal_psql',
      labels: labelsOf('drupal', 'postgres:14'),
      task: {
        image: 'postgres:14',
        env: { POSTGRES_PASSWORD: 'other' },
        labels,
        networks: [{ name: 'mydrupal', aliases: ['psql'] }],
      },
    },
    {
      name: 'drupal_drupal',
      labels: labelsOf('drupal', 'drupal:9'),
      ports: ingress(80, 80),
      task: { image: 'drupal:9', labels, networks: [{ name: 'mydrupal', aliases: ['drupal'] }] },
    },
  ]);
  expect(example('drupal').services[0]?.task.env).toEqual({ POSTGRES_PASSWORD: 'mypass' });
});

test('given visualizer.yaml, when it is parsed, then it is one task on a manager with the socket of its node', () => {
  const stack = example('visualizer');
  expect(stack.warnings).toEqual([]);
  expect(stack.services).toEqual([
    {
      name: 'visualizer_viz',
      labels: labelsOf('visualizer', 'bretfisher/visualizer'),
      ports: ingress(8080, 8080),
      task: {
        image: 'bretfisher/visualizer',
        labels: { 'com.docker.stack.namespace': 'visualizer' },
        mounts: [{ type: 'bind', source: '/var/run/docker.sock', target: '/var/run/docker.sock' }],
        networks: [{ name: 'visualizer_default', aliases: ['viz'] }],
        placement: { constraints: ['node.role==manager'] },
      },
    },
  ]);
});

test.each(['hello', 'drupal', 'visualizer'])('given %s.yaml, then core takes all its services', (name) => {
  for (const service of example(name).services) expect(parseServiceSpec(service).name).toBe(service.name);
});

test('given a stack file that is not there, when it is read, then the error names it', () => {
  expect(() => readStackFile('no-such-stack.yaml')).toThrow(InvalidSpecError);
  expect(() => readStackFile('no-such-stack.yaml')).toThrow(/no-such-stack\.yaml can't be read: ENOENT/);
});

test('given files beside a stack file, when it is read, then they are found from where it stands', () => {
  const dir = mkdtempSync(join(tmpdir(), 'skep-stack-'));
  try {
    writeFileSync(join(dir, 'app.env'), 'A=1\n');
    writeFileSync(join(dir, 'pw.txt'), 'secret');
    writeFileSync(
      join(dir, 'stack.yaml'),
      'name: s\nservices: {w: {image: x, env_file: app.env, secrets: [pw], volumes: ["./d:/d"]}}\nsecrets: {pw: {file: ./pw.txt}}\n',
    );
    const stack = readStackFile(join(dir, 'stack.yaml'), { env: {} });
    expect(stack.services[0]?.task.env).toEqual({ A: '1' });
    expect(stack.services[0]?.task.mounts).toEqual([{ type: 'bind', source: join(dir, 'd'), target: '/d' }]);
    expect(stack.secrets.map(({ data }) => data().length)).toEqual([6]);
  } finally {
    rmSync(dir, { recursive: true });
  }
});
