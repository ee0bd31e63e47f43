/** What swarm mode's port allocator does, as data. */

import type { LoopScenario } from '../../test-support/loop-scenario.ts';

const web = (
  ...ports: { target: number; published?: number; protocol?: 'tcp' | 'udp'; mode?: 'ingress' | 'host' }[]
) => ({
  name: 'web',
  ports,
});
const api = (...ports: Parameters<typeof web>) => ({ ...web(...ports), name: 'api' });
const every = (from: number, to: number) =>
  Array.from({ length: to - from + 1 }, (_, n) => ({ target: 1 + n, published: from + n }));

/** Scenarios of the allocator, as far as ports go. */
export const PORT_SCENARIOS: readonly LoopScenario[] = [
  {
    name: 'no ports: the task goes on at once',
    unallocated: true,
    services: [web()],
    tasks: [{ is: 'new' }],
    leadsTo: ['allocate web-1'],
  },
  {
    name: 'a port that the spec names',
    unallocated: true,
    services: [web({ target: 80, published: 8_080 })],
    tasks: [{ is: 'new' }],
    leadsTo: ['allocate web-1', 'publish 80 of web as 8080/tcp'],
  },
  {
    name: 'a port that the spec leaves open',
    unallocated: true,
    services: [web({ target: 80 })],
    leadsTo: ['publish 80 of web as 30000/tcp'],
  },
  {
    name: 'two that are left open, and one of another protocol',
    unallocated: true,
    services: [web({ target: 80 }, { target: 81 }, { target: 53, protocol: 'udp' })],
    leadsTo: [
      'publish 53 of web as 30000/udp',
      'publish 80 of web as 30000/tcp',
      'publish 81 of web as 30001/tcp',
    ],
  },
  {
    name: 'one that is left open beside one that the spec names there',
    unallocated: true,
    services: [web({ target: 80 }, { target: 81, published: 30_000 })],
    leadsTo: ['publish 80 of web as 30001/tcp', 'publish 81 of web as 30000/tcp'],
  },
  {
    name: 'a port that another service has: it says so, and its task stays new',
    unallocated: true,
    services: [web({ target: 80, published: 8_080 }), api({ target: 80, published: 8_080 })],
    tasks: [{ of: 'api', is: 'new' }],
    leadsTo: ['api: port 8080/tcp is already published by service web', 'publish 80 of web as 8080/tcp'],
  },
  {
    name: 'a port that another service has, and gives back',
    unallocated: true,
    services: [web({ target: 80, published: 8_080 }), api({ target: 80, published: 8_080 })],
    tasks: [{ of: 'api', is: 'new' }],
    after: [{ removed: 'web' }],
    leadsTo: ['allocate api-1', 'publish 80 of api as 8080/tcp'],
  },
  {
    name: 'the same number in two protocols',
    unallocated: true,
    services: [web({ target: 53, published: 53 }), api({ target: 53, published: 53, protocol: 'udp' })],
    leadsTo: ['publish 53 of api as 53/udp', 'publish 53 of web as 53/tcp'],
  },
  {
    name: 'the same number of the host, twice: that is up to the scheduler',
    unallocated: true,
    services: [
      web({ target: 80, published: 8_080, mode: 'host' }),
      api({ target: 80, published: 8_080, mode: 'host' }),
    ],
    leadsTo: ['publish 80 of api as 8080/tcp', 'publish 80 of web as 8080/tcp'],
  },
  {
    name: 'a port that was given stays when others come to it',
    unallocated: true,
    services: [web({ target: 80 })],
    tasks: [{ is: 'new' }],
    after: [{ service: 'web', becomes: { ports: [{ target: 79, published: 30_001 }, { target: 80 }] } }],
    leadsTo: ['publish 79 of web as 30001/tcp', 'publish 80 of web as 30000/tcp'],
  },
  {
    name: 'none is left to be given',
    unallocated: true,
    services: [web(...every(30_000, 32_767)), api({ target: 80 })],
    after: [{ service: 'api', becomes: { labels: { again: 'yes' } } }],
    leadsTo: [],
  },
];
