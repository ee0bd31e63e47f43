import { describe, expect, test } from 'vitest';
import { InvalidSpecError, isSkepError, type SkepErrorCode } from '../../errors.ts';
import type { ClusterEvent, CommandAnswer } from '../../events/event.ts';
import { asId, type NodeId } from '../../model/ids.ts';
import { type NetworkSpecInput, networkSpecSchema } from '../../model/network.ts';
import {
  CONFIG_BYTES_MAX,
  clusterSpecSchema,
  nodeSpecSchema,
  SECRET_BYTES_MAX,
} from '../../model/other-specs.ts';
import { parseServiceSpec } from '../../model/parse-spec.ts';
import type { ServiceSpecInput } from '../../model/service-spec.ts';
import { DIGEST_PREFIX } from '../../runtime/keyed-digest.ts';
import { seededRandom } from '../../runtime/random.ts';
import type { ClusterState } from '../../state/cluster-state.ts';
import { aCluster, aDescription, type StateBuilder } from '../../testing/state-builder.ts';
import type { DecideContext } from '../control-loop.ts';
import type { Decided } from '../leader-store.ts';
import { updateCluster } from './cluster-commands.ts';
import {
  applyConfig,
  applyNetwork,
  applySecret,
  createConfig,
  createNetwork,
  createSecret,
  findConfig,
  findNetwork,
  findSecret,
  removeConfig,
  removeNetwork,
  removeSecret,
  updateConfig,
  updateNetwork,
  updateSecret,
} from './file-commands.ts';
import { findNode, findService, findTask } from './find.ts';
import { joinNode, removeNode, updateNode } from './node-commands.ts';
import { createService, removeService, updateService } from './service-commands.ts';
import { forgetVolume } from './volume-commands.ts';

const context: DecideContext = { at: 2_000_000_000_000, random: seededRandom(3) };
const file = (name: string, labels = {}) => ({ name, labels });
const data = Uint8Array.of(1, 2, 3);
const network = (more: Partial<NetworkSpecInput> = {}) => networkSpecSchema.parse({ name: 'back', ...more });

/** A cluster with a node, a network, a secret, a config, and a service that uses all of them. */
function given(): StateBuilder {
  const cluster = aCluster().withNode({ id: 'node-1', hostname: 'bee' });
  const { apply } = { apply: (events: readonly ClusterEvent[]) => cluster.apply(...events) };
  apply(createNetwork(cluster.state, network(), context).events);
  apply(createNetwork(cluster.state, network({ name: 'door', ingress: true }), context).events);
  apply(createSecret(cluster.state, { spec: file('key'), digest: 'd-key', data }, context).events);
  apply(createSecret(cluster.state, { spec: file('spare'), digest: 'd-spare', data }, context).events);
  apply(createConfig(cluster.state, { spec: file('conf'), data }, context).events);
  return cluster.withService({
    name: 'web',
    ports: [
      { target: 80, published: 8_080 },
      { target: 53, published: 53, protocol: 'udp', mode: 'host' },
    ],
    task: { networks: [{ name: 'back' }], secrets: [{ name: 'key' }], configs: [{ name: 'conf' }] },
  });
}

const spec = (more: Partial<ServiceSpecInput> & { readonly task?: object } = {}) =>
  parseServiceSpec({ name: 'new', ...more, task: { image: 'image', ...more.task } });
const web = (head: ClusterState) => findService(head, 'web');
const webSpec = (head: ClusterState, more: object = {}) => ({ ...web(head).spec, ...more });
const create = (more: Parameters<typeof spec>[0]) => (head: ClusterState) =>
  createService(head, { spec: spec(more) }, context);

describe('given a cluster, when a command breaks a rule, then it is refused by name and decides nothing', () => {
  test.each<[string, (head: ClusterState) => unknown, SkepErrorCode, string]>([
    ['a service with a taken name', create({ name: 'web' }), 'NAME_CONFLICT', 'service web already exists'],
    [
      'a service with a taken name in capitals',
      create({ name: 'WEB' }),
      'NAME_CONFLICT',
      'service WEB already exists',
    ],
    [
      'an unknown network',
      create({ task: { networks: [{ name: 'x' }] } }),
      'INVALID_SPEC',
      "task.networks[0].name: network 'x' does not exist",
    ],
    [
      'the ingress network',
      create({ task: { networks: [{ name: 'door' }] } }),
      'INVALID_SPEC',
      "task.networks[0].name: 'door' is the ingress network",
    ],
    [
      'an unknown secret',
      create({ task: { secrets: [{ name: 'key' }, { name: 'x' }] } }),
      'INVALID_SPEC',
      "task.secrets[1].name: secret 'x' does not exist",
    ],
    [
      'an unknown config',
      create({ task: { configs: [{ name: 'x' }] } }),
      'INVALID_SPEC',
      "task.configs[0].name: config 'x' does not exist",
    ],
    [
      "another service's port",
      create({ ports: [{ target: 1, published: 8_080 }] }),
      'INVALID_SPEC',
      "ports[0].published: port '8080' is already in use by service 'web' (web) as an ingress port",
    ],
    [
      "another service's ingress port on hosts",
      create({ ports: [{ target: 1, published: 8_080, mode: 'host' }] }),
      'INVALID_SPEC',
      'ports[0].published: ',
    ],
    [
      "another service's host port as ingress",
      create({ ports: [{ target: 1, published: 53, protocol: 'udp' }] }),
      'INVALID_SPEC',
      'as a host-published port',
    ],
    [
      'a stale version of a service',
      (head) => updateService(head, web(head), { spec: webSpec(head) }, 1),
      'VERSION_CONFLICT',
      'update out of sequence: service web is at version',
    ],
    [
      'another name for a service',
      (head) => updateService(head, web(head), { spec: webSpec(head, { name: 'www' }) }),
      'PRECONDITION_FAILED',
      'renaming services is not supported',
    ],
    [
      'another mode for a service',
      (head) => updateService(head, web(head), { spec: webSpec(head, { mode: 'global' }) }),
      'PRECONDITION_FAILED',
      'service mode change is not allowed',
    ],
    [
      'a stale version to remove a service',
      (head) => removeService(head, web(head), 1),
      'VERSION_CONFLICT',
      'service web',
    ],
    ['an unknown service', (head) => findService(head, 'x'), 'NOT_FOUND', 'service x not found'],
    ['an unknown node', (head) => findNode(head, 'x'), 'NOT_FOUND', 'node x not found'],
    ['an unknown task', (head) => findTask(head, 'x'), 'NOT_FOUND', 'task x not found'],
    ['an unknown network to find', (head) => findNetwork(head, 'x'), 'NOT_FOUND', 'network x not found'],
    [
      'an unknown secret to find',
      (head) => findSecret(head, '__proto__'),
      'NOT_FOUND',
      'secret __proto__ not found',
    ],
    ['an unknown config to find', (head) => findConfig(head, 'x'), 'NOT_FOUND', 'config x not found'],
    [
      'no service',
      (head) => findService(head, ''),
      'INVALID_SPEC',
      'service: must be an id or a name, and is empty',
    ],
    ['no node', (head) => findNode(head, ' '), 'INVALID_SPEC', 'node: must be an id or a name, and is empty'],
    ['no task', (head) => findTask(head, ''), 'INVALID_SPEC', 'task: must be an id or a name, and is empty'],
    [
      'no volume',
      (head) => forgetVolume(head, ''),
      'INVALID_SPEC',
      'volume: must be an id or a name, and is empty',
    ],
    [
      'no config',
      (head) => findConfig(head, ''),
      'INVALID_SPEC',
      'config: must be an id or a name, and is empty',
    ],
    [
      'a taken network name',
      (head) => createNetwork(head, network(), context),
      'NAME_CONFLICT',
      'network back',
    ],
    [
      'a second ingress network',
      (head) => createNetwork(head, network({ name: 'b', ingress: true }), context),
      'PRECONDITION_FAILED',
      "ingress network 'door' exists already",
    ],
    [
      'another name for a network',
      (head) => updateNetwork(findNetwork(head, 'back'), network({ name: 'b' })),
      'PRECONDITION_FAILED',
      'renaming networks',
    ],
    [
      'a stale version of a network',
      (head) => updateNetwork(findNetwork(head, 'back'), network(), 99),
      'VERSION_CONFLICT',
      'not 99',
    ],
    [
      'a network in use',
      (head) => removeNetwork(head, findNetwork(head, 'back')),
      'IN_USE',
      "network 'back' is in use by: web",
    ],
    [
      'a secret in use',
      (head) => removeSecret(head, findSecret(head, 'key')),
      'IN_USE',
      "secret 'key' is in use by: web",
    ],
    [
      'a config in use',
      (head) => removeConfig(head, findConfig(head, 'conf')),
      'IN_USE',
      "config 'conf' is in use by: web",
    ],
    [
      'a taken secret name',
      (head) => createSecret(head, { spec: file('KEY'), digest: 'd', data }, context),
      'NAME_CONFLICT',
      'secret KEY',
    ],
    [
      'an empty secret',
      (head) => createSecret(head, { spec: file('a'), digest: 'd', data: new Uint8Array() }, context),
      'INVALID_SPEC',
      'data: must have at least 1',
    ],
    [
      'a secret too large',
      (head) =>
        createSecret(head, { spec: file('a'), digest: 'd', data: new Uint8Array(SECRET_BYTES_MAX) }, context),
      'INVALID_SPEC',
      `data: must have at least 1 and fewer than ${SECRET_BYTES_MAX} bytes`,
    ],
    [
      'a config too large',
      (head) => createConfig(head, { spec: file('a'), data: new Uint8Array(CONFIG_BYTES_MAX) }, context),
      'INVALID_SPEC',
      `fewer than ${CONFIG_BYTES_MAX} bytes`,
    ],
    [
      'another name for a secret',
      (head) => updateSecret(findSecret(head, 'key'), file('b')),
      'PRECONDITION_FAILED',
      'only updates to labels',
    ],
    [
      'another name for a config',
      (head) => updateConfig(findConfig(head, 'conf'), file('b')),
      'PRECONDITION_FAILED',
      'only updates to labels',
    ],
    [
      'another value for a secret',
      (head) => applySecret(head, { spec: file('key'), digest: 'other', data }, context),
      'PRECONDITION_FAILED',
      "secret 'key' exists with other content",
    ],
    [
      'other content for a config',
      (head) => applyConfig(head, { spec: file('conf'), data: Uint8Array.of(1, 2, 4) }, context),
      'PRECONDITION_FAILED',
      "config 'conf' exists with other content",
    ],
    [
      'a node that is up',
      (head) => removeNode(head, findNode(head, 'bee'), context, {}),
      'PRECONDITION_FAILED',
      "node node-1 is not down and can't be removed",
    ],
    [
      'another role for a node',
      (head) => updateNode(findNode(head, 'bee'), nodeSpecSchema.parse({ role: 'manager' })),
      'PRECONDITION_FAILED',
      'promote and demote',
    ],
    [
      'a stale version of a node',
      (head) => updateNode(findNode(head, 'bee'), nodeSpecSchema.parse({}), 1),
      'VERSION_CONFLICT',
      'node node-1',
    ],
    [
      'a stale version of the cluster',
      (head) => updateCluster(head, clusterSpecSchema.parse({}), 7),
      'VERSION_CONFLICT',
      'not 7',
    ],
  ])('when it is %s', (_, command, code, message) => {
    const { state } = given();
    let thrown: unknown;
    try {
      command(state);
    } catch (error) {
      thrown = error;
    }
    expect(isSkepError(thrown)).toBe(true);
    expect(thrown).toMatchObject({ code, message: expect.stringContaining(message) });
  });

  test('when several references are missing, then all are told', () => {
    const command = () =>
      create({ task: { networks: [{ name: 'x' }], secrets: [{ name: 'y' }] } })(given().state);
    expect(command).toThrow("network 'x' does not exist; task.secrets[0].name: secret 'y' does not exist");
  });

  test('when a hostname is that of two nodes, then it is ambiguous, and their ids are told', () => {
    const { state } = given().withNode({ id: 'node-2', hostname: 'bee' });
    const ambiguous = expect.objectContaining({
      code: 'AMBIGUOUS',
      message: 'node bee is ambiguous (2 matches found)',
      matches: ['node-1', 'node-2'],
    });
    expect(() => findNode(state, 'bee')).toThrow(ambiguous);
    expect(findNode(state, 'node-2').id).toBe('node-2');
  });
});

describe('given a service', () => {
  test('when one of the same host port comes, then both may have it', () => {
    const { events } = create({ ports: [{ target: 1, published: 53, protocol: 'udp', mode: 'host' }] })(
      given().state,
    );
    expect(events.map(({ type }) => type)).toEqual(['service.created']);
  });

  test('when one of the same port in another protocol comes, then both may have it', () => {
    expect(
      create({ ports: [{ target: 1, published: 8_080, protocol: 'udp' }] })(given().state).events,
    ).toHaveLength(1);
  });

  test.each<[string, object, readonly string[], boolean, boolean]>([
    ['replicas', { replicas: 3 }, ['replicas'], false, false],
    ['labels', { labels: { a: '1' } }, ['labels.a'], false, false],
    ['ports', { ports: [] }, ['ports'], true, true],
    ['the endpoint mode', { endpointMode: 'dnsrr', ports: [] }, ['ports', 'endpointMode'], true, true],
    ['how it is updated', { update: { parallelism: 2 } }, ['update.parallelism'], false, false],
  ])(
    'when %s changes, then that is told, and whether tasks and ports differ',
    (_, more, changes, tasksChanged, portsChanged) => {
      const { state } = given();
      const { events, result } = updateService(
        state,
        web(state),
        { spec: webSpec(state, more) },
        web(state).version,
      );
      expect(result).toMatchObject({ id: 'web', action: 'updated', changes });
      expect(events).toMatchObject([{ type: 'service.updated', id: 'web', tasksChanged, portsChanged }]);
    },
  );

  test('when its tasks change, then that is told', () => {
    const { state } = given();
    const task = { ...web(state).spec.task, image: 'other' };
    const { events, result } = updateService(state, web(state), { spec: webSpec(state, { task }) });
    expect(result.changes).toEqual(['task.image']);
    expect(events).toMatchObject([{ tasksChanged: true, portsChanged: false }]);
  });

  test('when it is updated to what it is, then nothing happens', () => {
    const { state } = given();
    const { events, result } = updateService(state, web(state), { spec: structuredClone(webSpec(state)) });
    expect(events).toEqual([]);
    expect(result).toMatchObject({ action: 'unchanged', changes: [] });
  });

  test('when it asks for a limit that no node can enforce, then it is warned', () => {
    const description = aDescription({ id: 'node-1' });
    const limits = { cpus: false, memory: true, pids: false };
    const cluster = given();
    const { capabilities } = description;
    cluster.apply({
      type: 'node.described',
      id: asId<NodeId>('node-1'),
      description: { ...description, capabilities: { ...capabilities, limits } },
      address: '',
    });
    const asked = { resources: { limits: { cpus: 1, memoryBytes: 2 ** 23, pids: 5 } } };
    expect(create({ task: asked })(cluster.state).result.warnings.map(({ field }) => field)).toEqual([
      'task.resources.limits.cpus',
      'task.resources.limits.pids',
    ]);
  });
});

describe('given a service with credentials in the vault', () => {
  const auth = (digest: string) => ({
    spec: spec({ task: { registryAuth: digest } }),
    credentials: { digest, data },
  });
  const removed = (events: readonly ClusterEvent[]) =>
    events.flatMap((event) => (event.type === 'vault.removed' ? event.digests : []));

  function withAuth(...digests: readonly string[]): StateBuilder {
    const cluster = aCluster();
    for (const [n, digest] of digests.entries()) {
      const { state } = cluster;
      const decided =
        n === 0
          ? createService(state, auth(digest), context)
          : updateService(state, findService(state, 'new'), auth(digest));
      cluster.apply(...decided.events);
    }
    return cluster;
  }

  const update = ({ state }: StateBuilder, request: Parameters<typeof updateService>[2]) =>
    updateService(state, findService(state, 'new'), request).events;

  test('when it is made, then the value goes into the vault once', () => {
    const cluster = withAuth('A');
    expect(cluster.state.roots.vault.get('A')).toEqual(data);
    const { events } = createService(
      cluster.state,
      { ...auth('A'), spec: { ...auth('A').spec, name: 'b' } },
      context,
    );
    expect(events.map(({ type }) => type)).toEqual(['service.created']);
  });

  test('when they change, then the ones before are kept for going back, and older ones are forgotten', () => {
    expect(removed(update(withAuth('A'), auth('B')))).toEqual([]);
    expect(removed(update(withAuth('A', 'B'), auth('C')))).toEqual(['A']);
  });

  test('when something else changes, then that is what it can go back to, and what was before is forgotten', () => {
    const cluster = withAuth('A', 'B');
    expect(
      removed(update(cluster, { spec: { ...findService(cluster.state, 'new').spec, replicas: 4 } })),
    ).toEqual(['A']);
  });

  test('when it drops them, or goes, then all of them are forgotten', () => {
    const cluster = withAuth('A', 'B');
    expect(removed(update(cluster, { spec: spec() }))).toEqual(['B', 'A']);
    expect(removed(removeService(cluster.state, findService(cluster.state, 'new')).events)).toEqual([
      'B',
      'A',
    ]);
  });

  const OWN = `${DIGEST_PREFIX}own`;
  const refusal = (decide: () => unknown) => {
    try {
      decide();
    } catch (error) {
      return error instanceof InvalidSpecError ? error.issues : error;
    }
    return undefined;
  };

  test('when a digest comes without its value, then only those that the service has are taken', () => {
    const cluster = withAuth(OWN, `${DIGEST_PREFIX}newer`);
    const withDigest = (registryAuth: string) => ({ spec: spec({ task: { registryAuth } }) });
    expect(refusal(() => update(cluster, withDigest(OWN)))).toBeUndefined();
    expect(refusal(() => update(cluster, withDigest(`${DIGEST_PREFIX}newer`)))).toBeUndefined();
    const issue = { field: 'task.registryAuth', rule: 'is no credential of this service' };
    expect(refusal(() => update(cluster, withDigest(`${DIGEST_PREFIX}of-a-secret`)))).toEqual([issue]);
    const other = { spec: { ...withDigest(OWN).spec, name: 'other' } };
    expect(refusal(() => createService(cluster.state, other, context))).toEqual([issue]);
  });

  test('when a service without any is updated or goes, then no other service is looked at', () => {
    const cluster = aCluster().withService({ name: 'new' });
    const { state } = cluster;
    const service = findService(state, 'new');
    state.services = () => {
      throw new Error('all services were looked at');
    };
    expect(updateService(state, service, { spec: spec({ labels: { a: 'b' } }) }).events).toHaveLength(1);
    expect(removeService(state, service).events).toHaveLength(1);
  });

  test.each([
    [2_000, undefined],
    [2_001, true],
  ])('when a service of %i tasks goes, then whether its tasks follow later is %s', (count, tasksFollow) => {
    const cluster = aCluster().withService({ name: 'new' }).withPending('new', count);
    const { events } = removeService(cluster.state, findService(cluster.state, 'new'));
    expect(events).toEqual([
      { type: 'service.removed', id: 'new', ...(tasksFollow === undefined ? {} : { tasksFollow }) },
    ]);
  });

  test('when another uses them, then they are kept', () => {
    const cluster = withAuth('A');
    cluster.apply(
      ...createService(cluster.state, { ...auth('A'), spec: { ...auth('A').spec, name: 'b' } }, context)
        .events,
    );
    expect(removed(removeService(cluster.state, findService(cluster.state, 'new')).events)).toEqual([]);
  });
});

describe('given secrets, configs and networks', () => {
  test('when a secret goes, then its value goes with it, unless another has the same', () => {
    const cluster = given();
    const same = createSecret(cluster.state, { spec: file('twin'), digest: 'd-spare', data }, context);
    expect(same.events.map(({ type }) => type)).toEqual(['secret.created']);
    const types = () =>
      removeSecret(cluster.state, findSecret(cluster.state, 'spare')).events.map(({ type }) => type);
    expect(types()).toEqual(['secret.removed', 'vault.removed']);
    cluster.apply(...same.events);
    expect(types()).toEqual(['secret.removed']);
  });

  test('when they are applied as they are, then nothing happens, and labels alone may change', () => {
    const { state } = given();
    const secret = { spec: file('key'), digest: 'd-key', data };
    expect(applySecret(state, secret, context)).toMatchObject({
      events: [],
      result: { action: 'unchanged' },
    });
    expect(applyConfig(state, { spec: file('conf'), data }, context)).toMatchObject({ events: [] });
    expect(applyNetwork(state, network(), context)).toMatchObject({ events: [] });
    const labelled = applySecret(state, { ...secret, spec: file('key', { a: '1' }) }, context);
    expect(labelled).toMatchObject({
      events: [{ type: 'secret.updated', spec: { labels: { a: '1' } } }],
      result: { action: 'updated', changes: ['labels.a'] },
    });
  });

  test('when a live task of an older spec is still on a network, then it is in use', () => {
    const cluster = given().withRunning('web', ['node-1']);
    const { state } = cluster;
    const task = { ...web(state).spec.task, networks: [] };
    cluster.apply(...updateService(state, web(state), { spec: webSpec(state, { task }) }).events);
    const remove = () => removeNetwork(cluster.state, findNetwork(cluster.state, 'back'));
    expect(remove).toThrow("network 'back' is in use by: task web-1");
    cluster.withDesired(['web-1'], 'shutdown');
    expect(remove().events).toMatchObject([{ type: 'network.removed' }]);
  });
});

describe('given a command with events, when it is decided, then it says what it did', () => {
  const { state } = given();
  const node = findNode(state, 'bee');
  const [net, key, conf] = [
    findNetwork(state, 'door'),
    findSecret(state, 'spare'),
    findConfig(state, 'conf'),
  ];
  const labels = { a: 'b' };
  const unused = given();
  unused.apply(...removeService(unused.state, web(unused.state)).events);
  test.each<[string, Decided<unknown>, CommandAnswer]>([
    [
      'updating a service',
      updateService(state, web(state), { spec: webSpec(state, { labels }) }),
      { id: 'web', action: 'updated', what: 'service' },
    ],
    [
      'removing a service',
      removeService(state, web(state)),
      { id: 'web', action: 'removed', what: 'service' },
    ],
    [
      'updating a node',
      updateNode(node, { ...node.spec, labels }),
      { id: node.id, action: 'updated', what: 'node' },
    ],
    [
      'removing a node',
      removeNode(state, node, context, { force: true }),
      { id: node.id, action: 'removed', what: 'node' },
    ],
    [
      'updating a network',
      updateNetwork(net, { ...net.spec, labels }),
      { id: net.id, action: 'updated', what: 'network' },
    ],
    ['removing a network', removeNetwork(state, net), { id: net.id, action: 'removed', what: 'network' }],
    [
      'updating a secret',
      updateSecret(key, { ...key.spec, labels }),
      { id: key.id, action: 'updated', what: 'secret' },
    ],
    ['removing a secret', removeSecret(state, key), { id: key.id, action: 'removed', what: 'secret' }],
    [
      'applying a config',
      applyConfig(state, { spec: file('conf', labels), data }, context),
      { id: conf.id, action: 'updated', what: 'config' },
    ],
    [
      'removing a config',
      removeConfig(unused.state, findConfig(unused.state, 'conf')),
      { id: findConfig(unused.state, 'conf').id, action: 'removed', what: 'config' },
    ],
    [
      'updating the cluster',
      updateCluster(state, clusterSpecSchema.parse({ labels })),
      { id: 'cluster', action: 'updated', what: 'cluster' },
    ],
  ])('when it is %s', (_, decided, answer) => {
    expect(decided.answer).toEqual(answer);
  });

  test.each<[string, Decided<unknown>]>([
    ['service', create({})(state)],
    ['network', applyNetwork(state, network({ name: 'new' }), context)],
    ['secret', createSecret(state, { spec: file('new'), digest: 'd', data }, context)],
    ['config', createConfig(state, { spec: file('new'), data }, context)],
  ])('when it is creating a %s', (what, { events, answer }) => {
    expect(events).toMatchObject([...events.slice(1).map(() => ({})), { id: answer?.id }]);
    expect(answer).toMatchObject({ action: 'created', what });
  });
});

describe('given a node', () => {
  test('when it joins, then it gets an id of its own', () => {
    const request = { spec: nodeSpecSchema.parse({}), description: aDescription(), address: 'a' };
    const { events, result } = joinNode(request, context);
    expect(result).toMatch(/^[0-9a-z]{25}$/);
    expect(events).toEqual([{ type: 'node.joined', id: result, ...request }]);
  });

  test('when it is removed while it is down, then its tasks are orphaned, those of global services removed', () => {
    const cluster = given()
      .withService({ name: 'agent', mode: 'global' })
      .withRunning('agent', ['node-1'])
      .withRunning('web', ['node-1', 'node-1'])
      .withStatus(['web-2'], 'failed')
      .withNodeState('node-1', 'down');
    const { events } = removeNode(cluster.state, findNode(cluster.state, 'bee'), context, {});
    expect(events).toMatchObject([
      { type: 'task.status', rows: [{ id: 'web-1', status: { state: 'orphaned', at: context.at } }] },
      { type: 'task.removed', ids: ['agent-1'] },
      { type: 'node.removed', id: 'node-1' },
    ]);
    cluster.apply(...events);
    expect(cluster.state.node(asId('node-1'))).toBeUndefined();
  });

  test('when it is up and force is used, then it is removed', () => {
    const { state } = given();
    expect(removeNode(state, findNode(state, 'bee'), context, { force: true }).events).toHaveLength(1);
  });
});
