/**
 * A stack file becomes what `docker stack deploy` makes of it. The expectations are what the docker CLI 28.2.2 sent
 * to its engine for this file, told in the words of Skep's specs.
 */

import { expect, test } from 'vitest';
import { parseStack } from './index.ts';

const FILE = `version: "3.8"
services:
  web:
    image: nginx:latest
    environment: { A: "1" }
    ports: ["8088:80"]
    networks: [front]
    secrets: [pw]
    configs:
      - source: conf
        target: /etc/app.conf
    deploy:
      replicas: 2
      labels: { tier: web }
      restart_policy: { condition: on-failure }
      update_config: { parallelism: 1, delay: 1s, order: start-first }
  db:
    image: postgres:14
    networks: [front]
    volumes: ["data:/data"]
    deploy:
      placement: { constraints: [node.role==manager] }
networks: { front: {} }
volumes: { data: {} }
secrets: { pw: { file: ./pw.txt } }
configs: { conf: { file: ./app.conf } }
`;
const NAMESPACE = { 'com.docker.stack.namespace': 'st' };

test('given the stack file of a recorded deployment, when it is parsed, then the specs are those that docker sends', () => {
  const stack = parseStack(FILE, { name: 'st', readFile: (path) => new TextEncoder().encode(path) });
  expect(stack.networks).toEqual([{ name: 'st_front', labels: NAMESPACE }]);
  expect(stack.secrets.map(({ spec }) => spec)).toEqual([{ name: 'st_pw', labels: NAMESPACE }]);
  expect(stack.configs.map(({ spec }) => spec)).toEqual([{ name: 'st_conf', labels: NAMESPACE }]);
  expect(stack.services).toEqual([
    {
      name: 'st_web',
      labels: { tier: 'web', 'com.docker.stack.image': 'nginx:latest', ...NAMESPACE },
      replicas: 2,
      update: { parallelism: 1, delayMs: 1_000, order: 'start-first' },
      ports: [{ target: 80, published: 8088, protocol: 'tcp', mode: 'ingress' }],
      task: {
        image: 'nginx:latest',
        env: { A: '1' },
        labels: NAMESPACE,
        secrets: [{ name: 'st_pw', target: 'pw' }],
        configs: [{ name: 'st_conf', target: '/etc/app.conf' }],
        networks: [{ name: 'st_front', aliases: ['web'] }],
        restart: { condition: 'on-failure' },
      },
    },
    {
      name: 'st_db',
      labels: { 'com.docker.stack.image': 'postgres:14', ...NAMESPACE },
      task: {
        image: 'postgres:14',
        labels: NAMESPACE,
        mounts: [{ type: 'volume', source: 'st_data', target: '/data' }],
        networks: [{ name: 'st_front', aliases: ['db'] }],
        placement: { constraints: ['node.role==manager'] },
      },
    },
  ]);
  expect(stack.warnings).toEqual([]);
});
