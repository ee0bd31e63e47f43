import { describe, expect, test } from 'vitest';
import { checkConstraints, PATTERN_LENGTH_MAX, parseConstraint } from './constraint.ts';

const rack = { kind: 'node.labels', label: 'rack' } as const;

describe('given the form that Swarm has', () => {
  test.each([
    ['node.labels.rack==a', { key: rack, operator: '==', value: 'a' }],
    ['  node.labels.rack   !=   a b ', { key: rack, operator: '!=', value: 'a b' }],
    ['NODE.ROLE == Manager', { key: { kind: 'node.role' }, operator: '==', value: 'Manager' }],
  ])('when %s is parsed, then it is what it always was', (text, parsed) => {
    expect(parseConstraint(text)).toEqual(parsed);
  });
});

describe('given the forms beyond', () => {
  test.each([
    ['node.labels.rack in (a, b)', { key: rack, operator: 'in', values: ['a', 'b'] }],
    ['node.labels.rack not in(a)', { key: rack, operator: 'not in', values: ['a'] }],
    ['node.labels.rack >= 1.5', { key: rack, operator: '>=', bound: 1.5 }],
    ['node.labels.rack<-2', { key: rack, operator: '<', bound: -2 }],
    ['node.labels.rack =~ ^a(b|c)$', { key: rack, operator: '=~', pattern: '^a(b|c)$' }],
    [
      'node.labels.rack == a || node.role == manager',
      {
        operator: '||',
        anyOf: [
          { key: rack, operator: '==', value: 'a' },
          { key: { kind: 'node.role' }, operator: '==', value: 'manager' },
        ],
      },
    ],
  ])('when %s is parsed, then it is understood', (text, parsed) => {
    expect(parseConstraint(text)).toEqual(parsed);
  });
});

describe('given a text that is no constraint', () => {
  test.each([
    ['', 'must have the form'],
    ['node.role', 'must have the form'],
    ['node.role = manager', 'must have the form'],
    ['node.labels.rack == a ||', 'must have the form'],
    ['|| node.labels.rack == a', 'must have the form'],
    ['node.colour == red', 'is no key of a node'],
    ['node.colour in (red)', 'is no key of a node'],
    ['node.role == queen', 'is no role'],
    ['node.role in (manager, queen)', 'is no role'],
    ['node.labels.rack ==', "value '' is not allowed"],
    ['node.labels.rack in ()', "value '' is not allowed"],
    ['node.labels.rack in (a,,b)', "value '' is not allowed"],
    ['node.labels.rack in a, b', 'must be a list'],
    ['node.labels.rack > many', 'is no number'],
    ['node.hostname > 3', 'is no number'],
    ['node.labels.rack =~', 'must not be empty'],
    ['node.labels.rack =~ (', 'is no regular expression'],
    ['node.labels.rack =~ (a)\\1', 'is no regular expression'],
    [`node.labels.rack =~ ${'a'.repeat(PATTERN_LENGTH_MAX + 1)}`, 'has at most 256 characters'],
  ])('when %s is parsed, then the rule that it breaks is told: %s', (text, rule) => {
    expect(parseConstraint(text)).toEqual({ rule: expect.stringContaining(rule) });
  });
});

describe('given constraints that no node can meet together', () => {
  test.each([
    [['node.labels.rack == a', 'node.labels.rack == b'], true],
    [['node.labels.rack == a', 'node.labels.rack != A'], true],
    [['node.labels.rack in (a, b)', 'node.labels.rack == c'], true],
    [['node.labels.rack in (a, b)', 'node.labels.rack in (b, c)'], false],
    [['node.labels.rack in (a, b)', 'node.labels.rack not in (b, a, c)'], true],
    [['node.labels.rack not in (b, a)', 'node.labels.rack in (a, c)'], false],
    [['node.labels.rack not in (a)', 'node.labels.rack != b'], false],
    [['node.labels.rack == a', 'node.labels.rack == b || node.role == manager'], false],
    [['node.ip == 10.0.0.0/8', 'node.ip == 10.1.0.0/16'], false],
  ])('when %j are checked, then that they contradict is %s', (texts, isRefused) => {
    const issues = checkConstraints(texts, 'task.placement.constraints');
    expect(issues.map(({ field }) => field)).toEqual(isRefused ? ['task.placement.constraints[1]'] : []);
  });
});
