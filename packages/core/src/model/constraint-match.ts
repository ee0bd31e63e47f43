/**
 * Whether a node meets placement constraints. Stands between the specs of services, where constraints are text, and
 * whoever places tasks or checks where they stand. Text is read once, when a constraint is compiled, never per node.
 *
 * Semantics are Swarm's: all constraints must hold, values compare without case and as a whole, a missing label is
 * the empty string, `node.ip` takes an address or a CIDR range. An address that can't be read never matches.
 */

import { type Constraint, type ConstraintKey, parseConstraint } from './constraint.ts';
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
  const { key, operator } = constraint;
  const wanted = operator === '==';
  if (key.kind === 'node.ip') {
    const range = parseAddressRange(constraint.value);
    if (range === undefined) return () => false;
    return (node) => {
      const address = parseAddress(node.status.address);
      return (address !== undefined && holds(range, address)) === wanted;
    };
  }
  const value = constraint.value.toLowerCase();
  return (node) => (constraintValue(node, key).toLowerCase() === value) === wanted;
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
