/** The log in words: transactions and changes as the page tells them. */

import type { Actor } from '@skep/core';
import { clipped } from '../model/project.ts';
import {
  CHANGES_TOLD,
  type LifeStep,
  type StoryChange,
  type ViewChange,
  type ViewTransaction,
} from './view-source.ts';

/** Longest value of a field that is told. */
const VALUE_MAX = 60;
/** Fields whose values may be confidential, or long: that they changed is told, not to what. */
const UNTOLD = /^spec\.task\.(env|registryAuth|credentials|healthcheck|command|args)\b/;

export function actorInWords(actor: Actor): string {
  switch (actor.kind) {
    case 'user':
      return actor.name === undefined ? 'user' : `user ${actor.name}`;
    case 'loop':
      return actor.name;
    case 'node':
      return `node ${actor.id}`;
  }
}

/** A change of an object, in one line. */
export function changeInWords(change: StoryChange): ViewChange {
  const { kind, object } = change;
  return { kind, id: object.id, text: clipped(textOf(change)) };
}

function textOf(change: StoryChange): string {
  const { action, kind } = change;
  const name = nameOf(change);
  if (action === 'removed') return `${kind} ${name} removed`;
  if (kind === 'task') {
    const { status, desiredState } = change.object;
    if (action === 'created') return `task ${name} created`;
    const told: string[] = [];
    if (change.before?.status.state !== status.state) {
      told.push(`${status.state}${status.error === undefined ? '' : `: ${status.error}`}`);
    }
    if (change.before?.nodeId !== change.object.nodeId) told.push(`to node ${change.object.nodeId}`);
    if (change.before?.desiredState !== desiredState) told.push(`should be ${desiredState}`);
    return `task ${name} ${told.length > 0 ? told.join(', ') : status.message}`;
  }
  if (action === 'created') return `${kind} ${name} created`;
  const fields = change.differences.map(({ field, before, after }) =>
    UNTOLD.test(field) ? field : `${field} ${valueText(before)} → ${valueText(after)}`,
  );
  return `${kind} ${name}: ${fields.join(', ')}`;
}

function nameOf(change: StoryChange): string {
  switch (change.kind) {
    case 'node':
      return change.object.description.hostname;
    case 'task':
      return change.object.id.slice(0, 12);
    case 'cluster':
      return change.object.id.slice(0, 12);
    default:
      return change.object.spec.name;
  }
}

function valueText(value: unknown): string {
  const text = value === undefined ? 'none' : typeof value === 'string' ? value : JSON.stringify(value);
  return text.length <= VALUE_MAX ? text : `${text.slice(0, VALUE_MAX)}…`;
}

/** Changes, in their order, transaction by transaction. */
export function transactionsOf(changes: readonly StoryChange[]): ViewTransaction[] {
  const found: ViewTransaction[] = [];
  let told: ViewChange[] = [];
  let count = 0;
  for (const [at, change] of changes.entries()) {
    count += 1;
    if (told.length < CHANGES_TOLD) told.push(changeInWords(change));
    if (changes[at + 1]?.index === change.index) continue;
    found.push({
      ...{ index: change.index, at: change.at, actor: actorInWords(change.actor) },
      ...(change.cause === undefined ? {} : { cause: change.cause }),
      ...{ changes: told, count },
    });
    told = [];
    count = 0;
  }
  return found;
}

/** The steps of a task's life; undefined for a change that was none. */
export function lifeStep(change: StoryChange): LifeStep | undefined {
  if (change.kind !== 'task' || change.action === 'removed') return undefined;
  const { object, before, index, actor } = change;
  const { status, desiredState } = object;
  const isStep = before?.status.state !== status.state || before.desiredState !== desiredState;
  if (!isStep && before?.status.error === status.error) return undefined;
  return {
    ...{ index, at: change.at, state: status.state, desired: desiredState, actor: actorInWords(actor) },
    message: clipped(status.error ?? status.message),
  };
}
