import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { kernelMissing } from '../testing/kernel-requirements.ts';
import { anEndpoint, aService, networkId } from '../testing/mesh-states.ts';
import { type NetworkNamespace, networkNamespace } from '../testing/network-namespace.ts';
import { changeTransaction, completeTransaction, type Ruleset } from './ruleset.ts';
import { type ServiceRules, serviceRules } from './service-rules.ts';

const missing = kernelMissing('nft', 'ip', 'nsenter');
const ingress = networkId('in');

function rulesetOf(services: Readonly<Record<string, ServiceRules>>, change: Partial<Ruleset> = {}): Ruleset {
  return {
    table: 'skep-test',
    place: 'node',
    bridges: [{ bridge: 'skb-a', isInternal: false }],
    localAddresses: [{ address: '10.0.1.5', family: 4 }],
    services: new Map(Object.entries(services)),
    ...change,
  };
}

/** A service with a virtual address of each family, and a published port. */
function web(
  tasks: readonly number[],
  change: Parameters<typeof aService>[3] = {},
  port = 8080,
): ServiceRules {
  const service = aService('web', 'a', '10.0.1.3', {
    vips: [{ networkId: networkId('a'), addresses: ['10.0.1.3', 'fd00::3'] }],
    ports: [{ target: 80, published: port, protocol: 'tcp', mode: 'ingress' }],
    ...change,
  });
  const endpoints = tasks.map((task) =>
    anEndpoint(`t${task}`, 'web', {
      a: [`10.0.1.${task}`, `fd00::${task.toString(16)}`],
      in: [`10.255.0.${task}`],
    }),
  );
  return serviceRules(service, endpoints, { ingress });
}

describe('given the rules of a service', () => {
  test('when it has tasks, then they take turns, in each family that they have addresses of', () => {
    const { chains, vips, ports } = web([10, 11]);
    expect(vips.map(({ address, chain }) => [address, chain])).toEqual([
      ['10.0.1.3', chains[0]?.name],
      ['fd00::3', chains[0]?.name],
    ]);
    expect(ports).toEqual([{ protocol: 'tcp', port: 8080, chain: 'port-tcp-8080' }]);
    expect(chains[0]?.rules).toEqual([
      'meta nfproto ipv4 dnat ip to numgen inc mod 2 map { 0 : 10.0.1.10, 1 : 10.0.1.11 }',
      'meta nfproto ipv6 dnat ip6 to numgen inc mod 2 map { 0 : fd00::a, 1 : fd00::b }',
    ]);
    expect(chains[1]?.rules[0]).toBe(
      'meta l4proto tcp meta nfproto ipv4 dnat ip to numgen inc mod 2 map { 0 : 10.255.0.10 . 80, 1 : 10.255.0.11 . 80 }',
    );
  });

  test('when it has none, then callers are refused at once', () => {
    expect(web([]).chains.map(({ rules }) => rules)).toEqual([['goto refuse'], ['goto refuse']]);
  });

  test('when a task is in no ingress network, then its node is asked, where it publishes the port', () => {
    const service = aService('web', 'a', '10.0.1.3', {
      ports: [{ target: 80, published: 8080, protocol: 'udp', mode: 'ingress' }],
    });
    const ports = [{ target: 80, protocol: 'udp' as const, port: 32768 }];
    const rules = serviceRules(service, [anEndpoint('t', 'web', {}, { ports })], { ingress });
    expect(rules.chains[1]?.rules[0]).toBe('meta l4proto udp meta nfproto ipv4 dnat ip to 192.168.7.1:32768');
  });

  test('when a port is in host mode, then it is left to the driver', () => {
    const ports = [{ target: 80, published: 8080, protocol: 'tcp', mode: 'host' }] as const;
    expect(web([10], { ports }).ports).toEqual([]);
  });
});

describe('given a change of one service among many', () => {
  test('when its tasks change, then one chain is written again and nothing else', () => {
    const other = serviceRules(aService('db', 'a', '10.0.1.4'), [], { ingress });
    const before = rulesetOf({ web: web([10, 11], { ports: [] }), db: other });
    const after = rulesetOf({ web: web([11], { ports: [] }), db: other });
    const chain = web([11]).chains[0]?.name;
    expect(changeTransaction(before, after).trim().split('\n')).toEqual([
      `add chain inet skep-test ${chain}`,
      `flush chain inet skep-test ${chain}`,
      `add rule inet skep-test ${chain} meta nfproto ipv4 dnat ip to 10.0.1.11`,
      `add rule inet skep-test ${chain} meta nfproto ipv6 dnat ip6 to fd00::b`,
    ]);
  });

  test('when nothing differs, then there is nothing to do', () => {
    expect(changeTransaction(rulesetOf({ web: web([10]) }), rulesetOf({ web: web([10]) }))).toBe('');
  });
});

describe.skipIf(missing !== undefined)(missing ?? "given the kernel's own nftables", () => {
  let namespace: NetworkNamespace;

  beforeAll(async () => {
    namespace = await networkNamespace('rules');
  });
  afterAll(() => namespace?.[Symbol.asyncDispose]());

  const commit = (input: string) => namespace.run('nft', ['-f', '-'], { input });

  /** All that there is, without what tells only when it was made. */
  async function listed(): Promise<unknown> {
    const text = await namespace.run('nft', ['-j', 'list', 'ruleset']);
    const { nftables } = JSON.parse(text) as { nftables: Record<string, Record<string, unknown>>[] };
    const sorted = (value: unknown) =>
      Array.isArray(value) ? value.map((each) => JSON.stringify(each)).toSorted() : value;
    return nftables
      .flatMap((object) => Object.entries(object))
      .filter(([kind]) => kind !== 'metainfo')
      .map(([kind, { handle, elem, ...rest }]) => JSON.stringify([kind, rest, sorted(elem)]))
      .toSorted();
  }

  const aRuleset = fc.record({
    services: fc.array(
      fc.record({
        tasks: fc.uniqueArray(fc.integer({ min: 10, max: 14 }), { maxLength: 3 }),
        isSticky: fc.boolean(),
        isPublished: fc.boolean(),
      }),
      { maxLength: 3 },
    ),
    // Which service has the published port: it may go from one to another.
    port: fc.integer({ min: 0, max: 2 }),
    bridges: fc.uniqueArray(fc.constantFrom('skb-a', 'skb-b'), { maxLength: 2 }),
    local: fc.uniqueArray(fc.constantFrom('10.0.1.10', 'fd00::a'), { maxLength: 2 }),
  });

  function made({
    services,
    port,
    bridges,
    local,
  }: typeof aRuleset extends fc.Arbitrary<infer T> ? T : never) {
    const rules = services.map(({ tasks, isSticky, isPublished }, index) =>
      web(
        tasks,
        {
          id: `s${index}` as ReturnType<typeof aService>['id'],
          vips: [{ networkId: networkId('a'), addresses: [`10.0.1.${100 + index}`, `fd00::1:${index}`] }],
          ...(isSticky && { stickiness: 'client-address' as const }),
          ...(!isPublished && { ports: [] }),
        },
        index === port ? 8080 : 9000 + index,
      ),
    );
    return rulesetOf(Object.fromEntries(rules.map((each, index) => [`s${index}`, each])), {
      bridges: bridges.map((bridge, index) => ({ bridge, isInternal: index === 1 })),
      localAddresses: local.map((address) => ({ address, family: address.includes(':') ? 6 : 4 })),
    });
  }

  test('when rules are changed step by step, then they are the same as if written at once', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(aRuleset, { minLength: 2, maxLength: 4 }), async (steps) => {
        const [first, ...rest] = steps.map(made);
        if (first === undefined) return;
        await commit(completeTransaction(first));
        let before = first;
        for (const after of rest) {
          const transaction = changeTransaction(before, after);
          if (transaction !== '') await commit(transaction);
          before = after;
        }
        const changed = await listed();
        await commit(completeTransaction(before));
        expect(changed).toEqual(await listed());
      }),
      { numRuns: 25 },
    );
  });

  test('when a transaction has a mistake, then nothing of it is there', async () => {
    await commit(completeTransaction(rulesetOf({ web: web([10]) })));
    const before = await listed();
    const wrong = completeTransaction(rulesetOf({ web: web([10, 11]) })).replace('10.0.1.11', '10.0.1.');
    await expect(commit(wrong)).rejects.toThrow('nft');
    expect(await listed()).toEqual(before);
  });

  test('when rules are for a client alone, then the kernel takes them, too', async () => {
    await commit(completeTransaction(rulesetOf({ web: web([10, 11]) }, { place: 'client', bridges: [] })));
  });
});
