import { describe, expect, test } from 'vitest';
import { InvalidSpecError } from '../errors.ts';
import { containsAddress, formatAddress, parseAddress, parseSubnet } from './address.ts';
import { isClusterWide, isEncrypted, mtuOf, type NetworkSpecInput, networkSpecSchema } from './network.ts';
import { clusterSpecSchema } from './other-specs.ts';
import { parseSpec } from './parse-spec.ts';

const fieldsOf = (parse: () => unknown): string[] => {
  try {
    parse();
    return [];
  } catch (error) {
    if (!(error instanceof InvalidSpecError)) throw error;
    return error.issues.map(({ field, rule }) => `${field}: ${rule}`);
  }
};
const MTU = 'com.docker.network.driver.mtu';

describe('given a network spec, when it is read', () => {
  test.each<[string, Partial<NetworkSpecInput>, string]>([
    ['no subnet', { subnets: [{ subnet: 'ten' }] }, "subnets[0].subnet: 'ten' must be a subnet"],
    ['host bits', { subnets: [{ subnet: '10.0.0.1/24' }] }, "subnets[0].subnet: '10.0.0.1/24' must be"],
    ['no room', { subnets: [{ subnet: '10.0.0.0/30' }] }, 'subnets[0].subnet: must have a prefix from /8'],
    [
      'a range that is not in it',
      { subnets: [{ subnet: '10.0.0.0/24', range: '10.0.1.0/25' }] },
      "subnets[0].range: '10.0.1.0/25' must lie in the subnet 10.0.0.0/24",
    ],
    [
      'a gateway that is not in it',
      { subnets: [{ subnet: '10.0.0.0/24', gateway: '10.0.1.1' }] },
      "subnets[0].gateway: '10.0.1.1' must be an address of a host",
    ],
    [
      'the broadcast address as a gateway',
      { subnets: [{ subnet: '10.0.0.0/24', gateway: '10.0.0.255' }] },
      "subnets[0].gateway: '10.0.0.255' must be",
    ],
    [
      'two subnets of a family',
      { subnets: [{ subnet: '10.0.0.0/24' }, { subnet: '10.1.0.0/24' }] },
      'subnets[1].subnet: must be the only one of IPv4',
    ],
    ['IPv6 unasked for', { subnets: [{ subnet: 'fd00::/64' }] }, 'ipv6: must be true'],
    ['too small an MTU', { options: { [MTU]: '500' } }, `options.${MTU}: must be a whole number from 576`],
    [
      'too small an MTU for IPv6',
      { ipv6: true, options: { [MTU]: '1200' } },
      `options.${MTU}: must be a whole number from 1280`,
    ],
    ['a half encryption', { options: { encrypted: 'half' } }, 'options.encrypted: must be empty'],
    ['an attachable ingress', { ingress: true, attachable: true }, 'attachable: must be false'],
  ])('then %s is refused by field and rule', (_, more, expected) => {
    const issues = fieldsOf(() => parseSpec(networkSpecSchema, { name: 'net', ...more }));
    expect(issues).toHaveLength(1);
    expect(issues[0]).toContain(expected);
  });

  test('then what it says can be asked', () => {
    const spec = networkSpecSchema.parse({ name: 'net', options: { encrypted: '', [MTU]: '1400' } });
    expect([isEncrypted(spec), mtuOf(spec), isClusterWide(spec)]).toEqual([true, 1_400, true]);
    const plain = networkSpecSchema.parse({
      name: 'net',
      driver: 'macvlan',
      options: { encrypted: 'false' },
    });
    expect([isEncrypted(plain), mtuOf(plain), isClusterWide(plain)]).toEqual([false, undefined, false]);
  });
});

describe('given the address pools of a cluster, when they are read', () => {
  test.each([
    [[], 'addressPools: must have at least one pool'],
    [[{ base: '10.0.0.1/8', prefix: 24 }], "addressPools[0].base: '10.0.0.1/8' must be a subnet"],
    [[{ base: '10.0.0.0/8', prefix: 7 }], 'addressPools[0].prefix: must be from 8'],
    [[{ base: '10.0.0.0/8', prefix: 31 }], 'addressPools[0].prefix: must be from 8'],
    [
      [
        { base: '10.0.0.0/8', prefix: 24 },
        { base: '10.1.0.0/16', prefix: 24 },
      ],
      'addressPools[1].base: must not overlap with 10.0.0.0/8',
    ],
  ])('then %j is refused', (addressPools, expected) => {
    const [issue] = fieldsOf(() => parseSpec(clusterSpecSchema, { addressPools }));
    expect(issue).toContain(expected);
  });
});

describe('given texts of addresses', () => {
  test.each(['10.0.0.1', '255.255.255.255', '::', 'fd00::1', '2001:db8::ff00:42:8329'])(
    'when %s is read and written, then it is the same',
    (text) => {
      const address = parseAddress(text);
      expect(address && formatAddress(address)).toBe(text);
    },
  );

  test.each(['', '10.0.0', '10.0.0.256', '0x7f.1', '010.0.0.1', 'fe80::1%eth0', '1::2::3', 'host'])(
    'when %j is read, then it is none',
    (text) => {
      expect(parseAddress(text)).toBeUndefined();
      expect(parseSubnet(`${text}/24`)).toBeUndefined();
    },
  );

  test('when an address lies in a subnet, then that is told by family and number', () => {
    const subnet = parseSubnet('10.0.1.0/24');
    const isIn = (text: string) => {
      const address = parseAddress(text);
      return subnet !== undefined && address !== undefined && containsAddress(subnet, address);
    };
    expect(['10.0.1.0', '10.0.1.255', '10.0.2.0', '::'].map(isIn)).toEqual([true, true, false, false]);
  });
});
