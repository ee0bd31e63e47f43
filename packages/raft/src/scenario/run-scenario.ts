/**
 * Runs a scenario: a text that tells, line by line, what happens to a few members and what holds then. Lines that
 * begin with `#` are the story; a line that begins with `then` is a claim.
 */

import { EXPECTATIONS } from './expectations.ts';
import type { Phrase } from './phrases.ts';
import { ACTIONS } from './phrases.ts';
import { ScenarioCluster } from './scenario-cluster.ts';

/** The first line of the story. */
export function titleOf(text: string): string {
  return (text.split('\n').find((line) => line.startsWith('# ')) ?? '# untitled').slice(2);
}

/** Runs all lines. @throws Error with the line's number and text when it is not understood or does not hold. */
export function runScenario(text: string): ScenarioCluster {
  const cluster = new ScenarioCluster();
  for (const [at, raw] of text.split('\n').entries()) {
    const line = raw.trim();
    if (line === '' || line.startsWith('#')) continue;
    try {
      const isClaim = line.startsWith('then ');
      perform(cluster, isClaim ? EXPECTATIONS : ACTIONS, isClaim ? line.slice(5) : line);
    } catch (error) {
      throw new Error(`line ${at + 1}: ${line}\n  ${error instanceof Error ? error.message : String(error)}`);
    }
  }
  return cluster;
}

function perform(cluster: ScenarioCluster, phrases: readonly Phrase[], line: string): void {
  for (const { pattern, act } of phrases) {
    const match = pattern.exec(line);
    if (match !== null) {
      act(cluster, ...match.slice(1));
      return;
    }
  }
  throw new Error('this phrase is not known');
}
