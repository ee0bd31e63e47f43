/**
 * YAML text as a tree of maps, lists and scalars, each with its place in the text. Sits between the YAML library and
 * the readers of a stack file: aliases and merge keys are resolved here, so that no reader knows of them. Nothing of
 * the library's types leaves this file, and a hostile text ends in a typed error, never in a hang or a full stack.
 */

import { InvalidSpecError, type SpecIssue } from '@skep/core';
import { isAlias, isMap, isPair, isScalar, isSeq, LineCounter, parseDocument, Scalar } from 'yaml';
import { DEPTH_MAX, ISSUES_MAX, READS_MAX, STACK_TEXT_MAX } from './limits.ts';
import { findTooDeep } from './yaml-nesting.ts';

/** A text, number, boolean or null. */
export interface ScalarNode {
  readonly kind: 'scalar';
  readonly value: string | number | boolean | null;
  /** As it was written, quotes and escapes resolved: `1.10` stays `1.10`. */
  readonly source: string;
  readonly at: number;
}

/** A list. */
export interface ListNode {
  readonly kind: 'list';
  readonly items: readonly TreeNode[];
  readonly at: number;
}

/** A map by key, in the order of the text. */
export interface MapNode {
  readonly kind: 'map';
  readonly entries: ReadonlyMap<string, MapEntry>;
  readonly at: number;
}

/** One key of a map. */
export interface MapEntry {
  readonly keyAt: number;
  readonly node: TreeNode;
}

/** Any node. An anchor's node is shared by all its aliases. */
export type TreeNode = ScalarNode | ListNode | MapNode;

/** A place in the text, both from 1. */
export interface Position {
  readonly line: number;
  readonly column: number;
}

/** A whole document. */
export interface YamlTree {
  readonly root: TreeNode;
  position(at: number): Position;
}

/**
 * Reads one YAML 1.2 document.
 *
 * @throws InvalidSpecError with line and column when the text is no YAML, is too long or nested too deep, has a key
 * twice, an alias without an anchor or within its own anchor, or a tag of its own.
 */
export function parseYamlTree(text: string): YamlTree {
  if (text.length > STACK_TEXT_MAX) throw fault(`must be at most ${STACK_TEXT_MAX} characters long`);
  const lines = new LineCounter();
  const position = (at: number): Position => {
    const { line, col } = lines.linePos(Math.min(Math.max(at, 0), text.length));
    return { line: Math.max(line, 1), column: Math.max(col, 1) };
  };
  if (findTooDeep(text, DEPTH_MAX) !== undefined)
    throw fault(`must not nest deeper than ${DEPTH_MAX} levels`);
  const document = parseDocument(text, {
    lineCounter: lines,
    prettyErrors: false,
    logLevel: 'error',
    // Checked in the conversion: the library compares each key with each other.
    uniqueKeys: false,
  });
  const issues = [...document.errors, ...document.warnings]
    .slice(0, ISSUES_MAX)
    .map(({ code, message, pos }) => {
      const rule = code === 'MULTIPLE_DOCS' ? 'must be one YAML document' : message;
      return { field: '', rule: `${rule}${told(position(pos[0]))}` };
    });
  if (issues.length > 0) throw new InvalidSpecError(issues);
  return { root: new Conversion(position).convert(document.contents, 0), position };
}

/** ` (line 3, column 5)`: how a rule ends that is about a place in the text. */
export function told({ line, column }: Position): string {
  return ` (line ${line}, column ${column})`;
}

function fault(rule: string): InvalidSpecError {
  return new InvalidSpecError([{ field: '', rule } satisfies SpecIssue]);
}

/** One pass over the library's tree, in the order of the text, so that an alias finds the anchor last set. */
class Conversion {
  readonly #position: (at: number) => Position;
  readonly #anchors = new Map<string, TreeNode>();
  #entriesLeft = READS_MAX;

  constructor(position: (at: number) => Position) {
    this.#position = position;
  }

  convert(node: unknown, depth: number): TreeNode {
    if (node === null || node === undefined) return { kind: 'scalar', value: null, source: '', at: 0 };
    if (isAlias(node)) {
      const found = this.#anchors.get(node.source);
      if (found === undefined) {
        throw this.#fault(
          `alias *${node.source} has no anchor before it, or stands within it`,
          node.range?.[0],
        );
      }
      return found;
    }
    const converted = this.#convertValue(node, depth);
    if ((isMap(node) || isSeq(node) || isScalar(node)) && node.anchor !== undefined) {
      this.#anchors.set(node.anchor, converted);
    }
    return converted;
  }

  #convertValue(node: unknown, depth: number): TreeNode {
    if (isScalar(node)) return scalar(node);
    if (isSeq(node)) {
      const at = node.range?.[0] ?? 0;
      this.#checkDepth(depth, at);
      return { kind: 'list', items: node.items.map((item) => this.convert(item, depth + 1)), at };
    }
    if (isMap(node)) {
      const at = node.range?.[0] ?? 0;
      this.#checkDepth(depth, at);
      return { kind: 'map', entries: this.#entries(node.items, depth), at };
    }
    throw fault('holds something that is no map, list or value');
  }

  #entries(pairs: readonly unknown[], depth: number): ReadonlyMap<string, MapEntry> {
    const own = new Map<string, MapEntry>();
    const merged = new Map<string, MapEntry>();
    for (const pair of pairs) {
      if (!isPair(pair)) continue;
      const { key } = pair;
      if (!isScalar(key) || key.value === null) {
        const at = isMap(key) || isSeq(key) || isScalar(key) || isAlias(key) ? key.range?.[0] : undefined;
        throw this.#fault('a key must be a text', at);
      }
      const keyAt = key.range?.[0] ?? 0;
      const name = scalar(key).source;
      if (key.anchor !== undefined) this.#anchors.set(key.anchor, scalar(key));
      const value = this.convert(pair.value, depth + 1);
      const isMerge = name === '<<' && (key.type === undefined || key.type === Scalar.PLAIN);
      if (isMerge) {
        this.#merge(merged, value, keyAt);
      } else if (own.has(name)) {
        throw this.#fault(`key '${name}' stands twice in the same map`, keyAt);
      } else {
        // A value of nothing has no place of its own: its key's is the nearest.
        own.set(name, {
          keyAt,
          node: pair.value === null ? { kind: 'scalar', value: null, source: '', at: keyAt } : value,
        });
      }
    }
    for (const [name, entry] of merged) if (!own.has(name)) own.set(name, entry);
    return own;
  }

  #merge(into: Map<string, MapEntry>, value: TreeNode, keyAt: number): void {
    const sources = value.kind === 'list' ? value.items : [value];
    for (const source of sources) {
      if (source.kind !== 'map') throw this.#fault('<< must name a map, or a list of maps', keyAt);
      this.#entriesLeft -= source.entries.size;
      if (this.#entriesLeft < 0) throw this.#fault('merges more than a stack file may hold', keyAt);
      // The first source that has a key wins, and the map's own keys win over all.
      for (const [name, entry] of source.entries) if (!into.has(name)) into.set(name, entry);
    }
  }

  #checkDepth(depth: number, at: number): void {
    if (depth > DEPTH_MAX) throw this.#fault(`must not nest deeper than ${DEPTH_MAX} levels`, at);
  }

  #fault(rule: string, at: number | undefined): InvalidSpecError {
    return fault(`${rule}${told(this.#position(at ?? 0))}`);
  }
}

function scalar(node: Scalar<unknown>): ScalarNode {
  const at = node.range?.[0] ?? 0;
  const { value } = node;
  if (typeof value === 'string') return { kind: 'scalar', value, source: value, at };
  if (typeof value === 'number') return { kind: 'scalar', value, source: node.source ?? String(value), at };
  if (typeof value === 'boolean') return { kind: 'scalar', value, source: String(value), at };
  return { kind: 'scalar', value: null, source: '', at };
}
