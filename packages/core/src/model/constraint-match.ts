/**
 * Whether a node meets placement constraints. Stands between the specs of services, where constraints are text, and
 * whoever places tasks or checks where they stand. Text is read once, when a constraint is compiled, never per node.
 *
 * Semantics of `==` and `!=` are Swarm's: all constraints must hold, values compare without case and as a whole, a
 * missing label is the empty string, `node.ip` takes an address or a CIDR range. An address that can't be read never matches.
 */

import {
  type Constraint,
  type ConstraintKey,
  type ConstraintTerm,
  compilePattern,
  type OrderOperator,
  parseConstraint,
  parseNumber,
  termsOf,
} from './constraint.ts';
import type { NodeId } from './ids.ts';
import type { NodeDescription } from './objects.ts';
import type { NodeSpec } from './other-specs.ts';

/** What a constraint looks at: a node, or enough of one. */
export interface ConstrainedNode {
  readonly id: NodeId;
  readonly spec: Pick<NodeSpec, 'labels' | 'role'>;
  readonly description: Pick<NodeDescription, 'hostname' | 'platform'> & {
    readonly engine: Pick<NodeDescription['engine'], 'labels'>;
  };
  readonly status: { readonly address: string };
}

/** Tells whether a node meets what was compiled. Pure; may be kept as long as the spec stands. */
export type NodeMatcher = (node: ConstrainedNode) => boolean;

/** The value that a node has under a key; the empty string when it has none. Spread preferences read by it too. */
export function constraintValue(node: ConstrainedNode, key: ConstraintKey): string {
  switch (key.kind) {
    case 'node.id':
      return node.id;
    case 'node.hostname':
      return node.description.hostname;
    case 'node.ip':
      return node.status.address;
    case 'node.role':
      return node.spec.role;
    case 'node.platform.os':
      return node.description.platform.os;
    case 'node.platform.arch':
      return node.description.platform.architecture;
    case 'node.labels':
      return ownValue(node.spec.labels, key.label);
    case 'engine.labels':
      return ownValue(node.description.engine.labels, key.label);
  }
}

/** Compiles one constraint. */
export function compileConstraint(constraint: Constraint): NodeMatcher {
  const [first, ...others] = termsOf(constraint);
  const matches = compileTerm(first);
  if (others.length === 0) return matches;
  const more = others.map(compileTerm);
  return (node) => matches(node) || more.some((one) => one(node));
}

function compileTerm(term: ConstraintTerm): NodeMatcher {
  const { key } = term;
  switch (term.operator) {
    case '==':
    case '!=':
      return compileValues(key, [term.value], term.operator === '==');
    case 'in':
    case 'not in':
      return compileValues(key, term.values, term.operator === 'in');
    case '=~':
    case '!~': {
      const pattern = compilePattern(term.pattern);
      const isWanted = term.operator === '=~';
      return (node) => pattern.matcher(constraintValue(node, key)).find() === isWanted;
    }
    default: {
      const holdsFor = ORDERS[term.operator];
      const { bound } = term;
      return (node) => {
        const value = parseNumber(constraintValue(node, key));
        return value !== undefined && holdsFor(value, bound);
      };
    }
  }
}

const ORDERS: Readonly<Record<OrderOperator, (value: number, bound: number) => boolean>> = {
  '>': (value, bound) => value > bound,
  '>=': (value, bound) => value >= bound,
  '<': (value, bound) => value < bound,
  '<=': (value, bound) => value <= bound,
};

function compileValues(key: ConstraintKey, texts: readonly string[], isWanted: boolean): NodeMatcher {
  if (key.kind === 'node.ip') return compileAddresses(texts, isWanted);
  const values = new Set(texts.map((text) => text.toLowerCase()));
  return (node) => values.has(constraintValue(node, key).toLowerCase()) === isWanted;
}

function compileAddresses(texts: readonly string[], isWanted: boolean): NodeMatcher {
  const ranges = texts.map(parseAddressRange);
  return (node) => {
    const address = parseAddress(node.status.address);
    // A range that can't be read is never met, wanted or not, as Swarm has it.
    if (ranges.includes(undefined)) return false;
    const isHeld =
      address !== undefined && ranges.some((range) => range !== undefined && holds(range, address));
    return isHeld === isWanted;
  };
}

/** Compiles a list of constraints as specs have them. A text that is no constraint matches no node. */
export function compileConstraints(texts: readonly string[]): NodeMatcher {
  const matchers = texts.map((text): NodeMatcher => {
    const parsed = parseConstraint(text);
    return 'rule' in parsed ? () => false : compileConstraint(parsed);
  });
  return (node) => matchers.every((matches) => matches(node));
}

const compiled = new WeakMap<readonly string[], NodeMatcher>();

/** Whether a node meets a spec's constraints. A list is compiled once and remembered for as long as it lives. */
export function meetsConstraints(node: ConstrainedNode, texts: readonly string[]): boolean {
  if (texts.length === 0) return true;
  let matches = compiled.get(texts);
  if (matches === undefined) {
    matches = compileConstraints(texts);
    compiled.set(texts, matches);
  }
  return matches(node);
}

/** Addresses whose first `bits` are those of `first`, in the 128 bits of IPv6; IPv4 is mapped into `::ffff:0:0/96`. */
interface AddressRange {
  readonly first: bigint;
  readonly bits: number;
}

const ADDRESS_BITS = 128;
const MAPPED_BITS = 96;
const MAPPED_PREFIX = 0xffffn << 32n;

function holds(range: AddressRange, address: bigint): boolean {
  const rest = BigInt(ADDRESS_BITS - range.bits);
  return address >> rest === range.first >> rest;
}

function parseAddressRange(text: string): AddressRange | undefined {
  const [addressText = '', lengthText, ...more] = text.split('/');
  const first = parseAddress(addressText);
  if (first === undefined || more.length > 0) return undefined;
  if (lengthText === undefined) return { first, bits: ADDRESS_BITS };
  if (!/^(?:0|[1-9]\d{0,2})$/.test(lengthText)) return undefined;
  const bits = Number(lengthText) + (addressText.includes(':') ? 0 : MAPPED_BITS);
  return bits > ADDRESS_BITS ? undefined : { first, bits };
}

/** An address as 128 bits; `undefined` when the text is none. Forms: RFC 4291 §2.2, dotted IPv4. */
function parseAddress(text: string): bigint | undefined {
  if (!text.includes(':')) {
    const low = parseIpv4(text);
    return low === undefined ? undefined : MAPPED_PREFIX | low;
  }
  const halves = text.split('::');
  if (halves.length > 2) return undefined;
  const head = parseGroups(halves[0] ?? '', halves.length === 1);
  const tail = halves.length === 2 ? parseGroups(halves[1] ?? '', true) : [];
  if (head === undefined || tail === undefined) return undefined;
  const gap = 8 - head.length - tail.length;
  if (halves.length === 2 ? gap < 1 : gap !== 0) return undefined;
  const groups = [...head, ...Array.from({ length: gap }, () => 0n), ...tail];
  return groups.reduce((address, group) => (address << 16n) | group, 0n);
}

function parseGroups(text: string, last: boolean): bigint[] | undefined {
  if (text === '') return [];
  const groups: bigint[] = [];
  const parts = text.split(':');
  for (const [index, part] of parts.entries()) {
    if (last && index === parts.length - 1 && part.includes('.')) {
      const low = parseIpv4(part);
      if (low === undefined) return undefined;
      groups.push(low >> 16n, low & 0xffffn);
    } else if (/^[0-9a-f]{1,4}$/i.test(part)) {
      groups.push(BigInt(`0x${part}`));
    } else {
      return undefined;
    }
  }
  return groups;
}

function parseIpv4(text: string): bigint | undefined {
  const parts = text.split('.');
  if (
    parts.length !== 4 ||
    !parts.every((part) => /^(?:0|[1-9]\d{0,2})$/.test(part) && Number(part) <= 255)
  ) {
    return undefined;
  }
  return parts.reduce((address, part) => (address << 8n) | BigInt(part), 0n);
}

function ownValue(labels: Readonly<Record<string, string>>, label: string): string {
  return Object.hasOwn(labels, label) ? (labels[label] ?? '') : '';
}
