/**
 * One reading of a stack file: places in its tree, and the faults and warnings found on the way. What a place holds is
 * for the reads to say; each that fails notes its fault and gives `undefined`, so that one pass tells all faults. A
 * fault quotes what is written in the file, never the value of a variable.
 */

import { InvalidSpecError, type SpecIssue } from '@skep/core';
import type { Variables } from './interpolation.ts';
import { ISSUES_MAX, READS_MAX } from './limits.ts';
import { type TreeNode, told, type YamlTree } from './yaml-tree.ts';

/** A node and how one came to it. */
export interface Place {
  readonly node: TreeNode;
  /** `services.web.ports[0]`. */
  readonly path: string;
  /** Where the key stands that led here, or the value itself in a list. */
  readonly at: number;
}

/** One key of a map, with its value. */
export interface Keyed extends Place {
  readonly key: string;
}

/** What the reader did with something it could not take over. */
export type StackWarningReason =
  /** Docker's swarm mode does not know it either; `docker stack deploy` ignores it too. */
  | 'not-in-swarm'
  /** Swarm has it, Skep does not yet. */
  | 'not-supported'
  /** A variable without a default is not set, and counts as empty. */
  | 'unset-variable';

/** Something in the file that has no effect. */
export interface StackWarning {
  readonly reason: StackWarningReason;
  /** Path of the field: `services.web.build`. */
  readonly field: string;
  /** In words, without the field. */
  readonly message: string;
  readonly line: number;
  readonly column: number;
}

/** Reads a value at a place; notes why not, and gives `undefined`, when it can't. */
export type Read<Value> = (reading: Reading, place: Place) => Value | undefined;

/** One reading of one file. It lives as long as the call that parses the file. */
export class Reading {
  readonly variables: Variables;
  readonly #tree: YamlTree;
  readonly #issues: SpecIssue[] = [];
  readonly #warnings: StackWarning[] = [];
  readonly #unset = new Set<string>();
  #readsLeft = READS_MAX;

  constructor(tree: YamlTree, variables: Variables) {
    this.#tree = tree;
    this.variables = variables;
  }

  get root(): Place {
    return { node: this.#tree.root, path: '', at: this.#tree.root.at };
  }

  get issueCount(): number {
    return this.#issues.length;
  }

  get warnings(): readonly StackWarning[] {
    return this.#warnings;
  }

  /**
   * Notes a fault; the rule gets its line and column.
   *
   * @throws InvalidSpecError when there are so many that the rest would not help.
   */
  issue(place: Pick<Place, 'path' | 'at'>, rule: string): undefined {
    this.#issues.push({ field: place.path, rule: `${rule}${told(this.#tree.position(place.at))}` });
    if (this.#issues.length >= ISSUES_MAX) this.finish();
    return undefined;
  }

  warn(place: Pick<Place, 'path' | 'at'>, reason: StackWarningReason, message: string): void {
    this.#warnings.push({ reason, field: place.path, message, ...this.#tree.position(place.at) });
  }

  /** Warns once a variable, however often it is asked for. */
  warnUnset(place: Place, name: string): void {
    if (this.#unset.has(name)) return;
    this.#unset.add(name);
    this.warn(place, 'unset-variable', `the variable ${name} is not set and counts as empty`);
  }

  /** Counts a read, so that aliases of aliases can't keep the reader busy for ever. */
  spend(amount = 1): void {
    this.#readsLeft -= amount;
    if (this.#readsLeft < 0) {
      throw new InvalidSpecError([
        { field: '', rule: `holds more than ${READS_MAX} values, aliases counted` },
      ]);
    }
  }

  /** @throws InvalidSpecError with every fault noted so far, if there is one. */
  finish(): void {
    if (this.#issues.length > 0) throw new InvalidSpecError(this.#issues);
  }
}

/** What stands in the file, for a message: short, and with its variables unread. */
export function shown(place: Place): string {
  if (place.node.kind !== 'scalar') return `this ${place.node.kind}`;
  const { source } = place.node;
  return source.length > 60 ? `'${source.slice(0, 57)}...'` : `'${source}'`;
}

/** True for a key without a value. */
export function isEmpty(place: Place): boolean {
  return place.node.kind === 'scalar' && place.node.value === null;
}
