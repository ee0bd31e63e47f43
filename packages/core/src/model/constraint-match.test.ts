import { describe, expect, test } from 'vitest';
import { type ConstrainedNode, compileConstraints, meetsConstraints } from './constraint-match.ts';
import { asId, type NodeId } from './ids.ts';

const node: ConstrainedNode = {
  id: asId<NodeId>('node7'),
  spec: { labels: { rack: 'A', 'disk.kind': 'ssd', blank: '' }, role: 'worker' },
  description: {
    hostname: 'Bee-7',
    platform: { os: 'linux', architecture: 'arm64' },
    engine: { labels: { storage: 'Zfs' } },
  },
  status: { address: '10.1.2.3' },
};
const at = (address: string): ConstrainedNode => ({ ...node, status: { address } });

describe('given a node', () => {
  test.each([
    ['node.id==node7', true],
    ['node.id == NODE7', true],
    ['node.id==node', false],
    ['node.hostname==bee-7', true],
    ['NODE.HOSTNAME!=bee-7', false],
    ['node.role==worker', true],
    ['node.role!=worker', false],
    ['node.platform.os==Linux', true],
    ['node.platform.arch==amd64', false],
    ['node.labels.rack==a', true],
    ['node.labels.Rack==a', false],
    ['node.labels.disk.kind==ssd', true],
    ['node.labels.missing!=a', true],
    ['node.labels.missing==a', false],
    ['node.labels.toString!=a', true],
    ['engine.labels.storage==zfs', true],
    ['engine.labels.storage!=zfs', false],
    ['node.colour==red', false],
    ['rubbish', false],
  ])('when it is asked for %s, then the answer is %s', (text, expected) => {
    expect(compileConstraints([text])(node)).toBe(expected);
  });

  test('when there are several constraints, then all must hold', () => {
    expect(meetsConstraints(node, [])).toBe(true);
    expect(meetsConstraints(node, ['node.role==worker', 'node.labels.rack==A'])).toBe(true);
    expect(meetsConstraints(node, ['node.role==worker', 'node.labels.rack==B'])).toBe(false);
  });
});

describe('given a node with an address', () => {
  test.each([
    ['10.1.2.3', 'node.ip==10.1.2.3', true],
    ['10.1.2.3', 'node.ip!=10.1.2.3', false],
    ['10.1.2.3', 'node.ip==10.1.0.0/16', true],
    ['10.1.2.3', 'node.ip==10.1.2.9/24', true],
    ['10.1.2.3', 'node.ip!=10.2.0.0/16', true],
    ['10.1.2.3', 'node.ip==0.0.0.0/0', true],
    ['10.1.2.3', 'node.ip==10.1.2.3/33', false],
    ['10.1.2.3', 'node.ip==10.1.2', false],
    ['10.1.2.3', 'node.ip!=10.1.2', false],
    ['10.1.2.3', 'node.ip==10.1.2.300', false],
    ['2001:db8::2', 'node.ip==2001:DB8:0:0:0:0:0:2', true],
    ['2001:db8::2', 'node.ip==2001:db8::/32', true],
    ['2001:db9::2', 'node.ip==2001:db8::/32', false],
    ['2001:db8::2', 'node.ip==0.0.0.0/0', false],
    ['::ffff:10.1.2.3', 'node.ip==10.1.0.0/16', true],
    ['2001:db8::2', 'node.ip==2001:db8::2::1', false],
    ['localhost', 'node.ip==127.0.0.1', false],
    ['localhost', 'node.ip!=127.0.0.1', true],
  ])('when %s is asked for %s, then the answer is %s', (address, text, expected) => {
    expect(compileConstraints([text])(at(address))).toBe(expected);
  });
});
