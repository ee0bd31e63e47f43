/**
 * Rules by which tasks want to be near to tasks of other services, or away from them. They count when a task is placed
 * and never move one that stands, as Kubernetes has it of its pods (`…IgnoredDuringExecution`). What is near is a
 * place: the nodes that have the same value under a key.
 */

import * as z from 'zod';
import type { SpecIssue } from '../errors.ts';
import { constraintKeyText, parseConstraintKey } from './constraint.ts';
import { dnsName } from './names.ts';

const affinityRule = z.strictObject({
  /** Tasks of the service of this name. Either this or a label. */
  service: dnsName.optional(),
  /** Tasks of services with this label: `tier=cache`, or `tier` whatever its value. */
  label: z.string().min(1, 'must not be empty').optional(),
  /**
   * What makes nodes one place: a key as constraints have them, such as `node.labels.rack`. A node without a value is in
   * no place: nothing is near there. Default: each node is its own.
   */
  topology: z.string().default('node.id'),
  /** `required`: a node that breaks it won't do. `preferred`: nodes that keep more of them come first. */
  strength: z.enum(['required', 'preferred']).default('required'),
});

/** Schema of a list of rules. */
export const affinityRules = z.array(affinityRule).max(16, 'must be at most 16 rules').optional();

/** One rule. */
export type AffinityRule = z.output<typeof affinityRule>;

/** Where the rules stand in a spec. */
export type AffinityKind = 'affinity' | 'antiAffinity';

/** Both lists, as a placement has them. */
export interface AffinityRules {
  readonly affinity?: readonly AffinityRule[] | undefined;
  readonly antiAffinity?: readonly AffinityRule[] | undefined;
}

/** What a rule finds a service by. */
export interface NamedAndLabelled {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
}

/** True for a placement that has any rule. */
export function hasAffinity({ affinity = [], antiAffinity = [] }: AffinityRules): boolean {
  return affinity.length + antiAffinity.length > 0;
}

/** True when the rule is about tasks of this service. */
export function selects({ service, label }: AffinityRule, { name, labels }: NamedAndLabelled): boolean {
  if (service !== undefined) return service.toLowerCase() === name.toLowerCase();
  if (label === undefined) return false;
  const sign = label.indexOf('=');
  const key = sign === -1 ? label : label.slice(0, sign);
  return Object.hasOwn(labels, key) && (sign === -1 || labels[key] === label.slice(sign + 1));
}

/** The tasks that a rule is about, in words: the same for rules about the same tasks. */
export function selectionText({ service, label }: AffinityRule): string {
  return service === undefined ? `services labelled ${label ?? ''}` : `service ${service.toLowerCase()}`;
}

/** The place that a rule is about, in words. */
export function placeText({ topology }: Pick<AffinityRule, 'topology'>): string {
  const key = parseConstraintKey(topology);
  return key === undefined || key.kind === 'node.id' ? 'the node' : `its ${constraintKeyText(key)}`;
}

/** The rules of the spec language that the lists break. `field` is the path of the placement. */
export function affinityIssues(rules: AffinityRules, field: string): SpecIssue[] {
  const issues: SpecIssue[] = [];
  const seen = new Map<string, AffinityKind>();
  for (const kind of ['affinity', 'antiAffinity'] as const) {
    for (const [index, rule] of (rules[kind] ?? []).entries()) {
      const path = `${field}.${kind}[${index}]`;
      if ((rule.service === undefined) === (rule.label === undefined)) {
        issues.push({ field: path, rule: 'must name either a service or a label' });
        continue;
      }
      if (rule.label?.startsWith('=')) issues.push({ field: `${path}.label`, rule: 'must name a label' });
      if (parseConstraintKey(rule.topology) === undefined) {
        const words = `'${rule.topology}' is no key of a node: use node.id, node.hostname, node.labels.NAME or engine.labels.NAME`;
        issues.push({ field: `${path}.topology`, rule: words });
        continue;
      }
      const key = `${selectionText(rule)} on ${placeText(rule)}`;
      const other = seen.get(key);
      if (other === kind) issues.push({ field: path, rule: `there are two rules about ${key}` });
      else if (other !== undefined) {
        issues.push({ field: path, rule: `contradicts the affinity to ${key}` });
      }
      seen.set(key, kind);
    }
  }
  return issues;
}
