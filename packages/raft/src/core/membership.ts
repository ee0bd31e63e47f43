/**
 * How one configuration becomes another. Pure functions on plain data: no configuration comes out of here whose
 * quorums might not meet those of the one before. Ongaro's thesis, §4.1 (one voter at a time) and §4.3 (joint).
 */

import { brokenAddress, brokenMemberId } from './member-names.ts';
import type { Configuration, MemberId } from './types.ts';

/** One wish. Promotion is `add-voter` of a learner, demotion `add-learner` of a voter. */
export type MemberChange =
  | { readonly kind: 'add-voter'; readonly member: MemberId; readonly address?: string }
  | { readonly kind: 'add-learner'; readonly member: MemberId; readonly address?: string }
  | { readonly kind: 'remove'; readonly member: MemberId }
  | { readonly kind: 'set-address'; readonly member: MemberId; readonly address: string };

/** How to get there. */
export type Transition =
  /** In one step where at most one voter changes, else through a joint configuration that is left by itself. */
  | 'automatic'
  /** Through a joint configuration in any case, left by itself. */
  | 'joint'
  /** Through a joint configuration that stays until `leaveJoint` is called. */
  | 'joint-until-left';

/** A plan, or the rule that the wishes break. */
export type MembershipPlan =
  | { readonly ok: true; readonly configuration: Configuration }
  | { readonly ok: false; readonly message: string };

/** A configuration of these voters and learners, with no history. */
export function configurationOf(
  voters: readonly MemberId[],
  learners: readonly MemberId[] = [],
  addresses: Readonly<Record<MemberId, string>> = {},
): Configuration {
  return {
    voters,
    outgoing: [],
    learners,
    learnersNext: [],
    leaveAutomatically: false,
    addresses,
    removed: [],
  };
}

/** True while two sets of voters decide together. */
export function isJoint(configuration: Configuration): boolean {
  return configuration.outgoing.length > 0;
}

/** True if the member has a vote, in either half. */
export function isVoter(configuration: Configuration, id: MemberId): boolean {
  return configuration.voters.includes(id) || configuration.outgoing.includes(id);
}

/** Everyone who receives the log, each once, voters first. */
export function membersOf(configuration: Configuration): MemberId[] {
  const { voters, outgoing, learners, learnersNext } = configuration;
  return [...new Set([...voters, ...outgoing, ...learners, ...learnersNext])];
}

/** The configuration that the wishes lead to, or why there is none. */
export function planChange(
  current: Configuration,
  changes: readonly MemberChange[],
  transition: Transition,
): MembershipPlan {
  if (isJoint(current))
    return refuse('The configuration is joint; it has to be left before the next change.');
  const broken = brokenRule(current, changes, transition);
  if (broken !== undefined) return refuse(broken);
  const simple = applyChanges(current, changes, []);
  if (simple.voters.length === 0) return refuse('A cluster needs at least one voter.');
  const changed = differences(current.voters, simple.voters);
  if (transition === 'automatic' && changed <= 1) return { ok: true, configuration: simple };
  const joint = applyChanges(current, changes, current.voters);
  return {
    ok: true,
    configuration: {
      ...joint,
      outgoing: current.voters,
      leaveAutomatically: transition !== 'joint-until-left',
    },
  };
}

/** The configuration after a joint one: its incoming half alone. */
export function planLeave(joint: Configuration): MembershipPlan {
  if (!isJoint(joint)) return refuse('The configuration is not joint.');
  return {
    ok: true,
    configuration: {
      ...joint,
      outgoing: [],
      learners: [...joint.learners, ...joint.learnersNext],
      learnersNext: [],
      leaveAutomatically: false,
    },
  };
}

const KINDS: Readonly<Record<MemberChange['kind'], true>> = {
  'add-voter': true,
  'add-learner': true,
  remove: true,
  'set-address': true,
};

function refuse(message: string): MembershipPlan {
  return { ok: false, message };
}

const TRANSITIONS: Readonly<Record<Transition, true>> = {
  automatic: true,
  joint: true,
  'joint-until-left': true,
};

function brokenRule(
  current: Configuration,
  changes: readonly MemberChange[],
  transition: Transition,
): string | undefined {
  if (!Object.hasOwn(TRANSITIONS, transition)) return `There is no transition of the kind ${transition}.`;
  if (!Array.isArray(changes)) return 'The changes must be a list.';
  if (changes.length === 0) return 'The change names no member.';
  const known = new Set(membersOf(current));
  const seen = new Set<MemberId>();
  for (const change of changes) {
    if (typeof change !== 'object' || change === null) return 'Each change must be an object.';
    const { kind, member } = change;
    if (!Object.hasOwn(KINDS, kind)) return `There is no change of the kind ${kind}.`;
    const broken =
      brokenMemberId(member) ?? (kind === 'remove' ? undefined : brokenAddress(member, change.address));
    if (broken !== undefined) return broken;
    if (seen.has(member)) return `Member ${member} is named twice.`;
    seen.add(member);
    if (kind === 'remove' || kind === 'set-address') {
      if (!known.has(member)) return `Member ${member} is not part of the cluster.`;
    } else if (current.removed.includes(member)) {
      return `Member ${member} was removed before; an id is never given twice.`;
    } else if (kind === 'add-voter' && current.voters.includes(member)) {
      return `Member ${member} is a voter already.`;
    } else if (kind === 'add-learner' && current.learners.includes(member)) {
      return `Member ${member} is a learner already.`;
    }
  }
  return undefined;
}

/** Applies the wishes; a voter of `outgoing` that is demoted waits in `learnersNext`, since it still has a vote. */
function applyChanges(
  current: Configuration,
  changes: readonly MemberChange[],
  outgoing: readonly MemberId[],
): Configuration {
  const voters = new Set(current.voters);
  const learners = new Set(current.learners);
  const learnersNext = new Set<MemberId>();
  const addresses: Record<MemberId, string> = { ...current.addresses };
  const removed = [...current.removed];
  for (const change of changes) {
    const { member } = change;
    if (change.kind !== 'set-address') {
      voters.delete(member);
      learners.delete(member);
    }
    if (change.kind === 'add-voter') voters.add(member);
    else if (change.kind === 'add-learner') (outgoing.includes(member) ? learnersNext : learners).add(member);
    else if (change.kind === 'remove') {
      removed.push(member);
      delete addresses[member];
    }
    if (change.kind !== 'remove' && change.address !== undefined) addresses[member] = change.address;
  }
  return {
    voters: [...voters],
    outgoing: [],
    learners: [...learners],
    learnersNext: [...learnersNext],
    leaveAutomatically: false,
    addresses,
    removed,
  };
}

function differences(before: readonly MemberId[], after: readonly MemberId[]): number {
  const left = before.filter((id) => !after.includes(id)).length;
  return left + after.filter((id) => !before.includes(id)).length;
}
