/** What a scenario can claim. Each claim is compared with what the member says of itself, and both are shown. */

import { membersNamed, type Phrase } from './phrases.ts';
import type { ScenarioCluster } from './scenario-cluster.ts';
import { commandText } from './scenario-cluster.ts';

/** A claim that does not hold. */
export class Disappointment extends Error {
  override readonly name = 'Disappointment';
}

function expect(who: string, what: string, actual: unknown, expected: unknown): void {
  if (String(actual) !== String(expected)) {
    throw new Disappointment(`${who}: ${what} is ${String(actual)}, not ${String(expected)}`);
  }
}

function each(cluster: ScenarioCluster, names: string, claim: (id: string) => void): void {
  for (const id of membersNamed(cluster, names)) claim(id);
}

function sorted(list: readonly string[]): string {
  return [...list].sort().join(' ') || 'nobody';
}

/** Phrases that claim something. */
export const EXPECTATIONS: readonly Phrase[] = [
  {
    pattern: /^(\S+) leads term (\d+)$/,
    act: (cluster, id = '', term) => {
      const { role, term: actual } = cluster.core(id).status;
      expect(id, 'its part', `${role} in term ${actual}`, `leader in term ${term}`);
    },
  },
  {
    pattern: /^(.+?) follows? (\S+) in term (\d+)$/,
    act: (cluster, names = '', leader, term) =>
      each(cluster, names, (id) => {
        const { role, leader: actual = 'nobody', term: at } = cluster.core(id).status;
        expect(id, 'its part', `${role} of ${actual} in term ${at}`, `follower of ${leader} in term ${term}`);
      }),
  },
  {
    pattern: /^(.+?) (?:is a|are) (pre-candidate|candidate|follower)s? in term (\d+)$/,
    act: (cluster, names = '', role, term) =>
      each(cluster, names, (id) => {
        const { role: actual, term: at } = cluster.core(id).status;
        expect(id, 'its part', `${actual} in term ${at}`, `${role} in term ${term}`);
      }),
  },
  {
    pattern: /^(.+?) (?:has|have) voted for (\S+)$/,
    act: (cluster, names = '', vote) =>
      each(cluster, names, (id) => expect(id, 'its vote', cluster.core(id).status.vote ?? 'nobody', vote)),
  },
  {
    pattern: /^(.+?) (?:has|have) committed (\d+)$/,
    act: (cluster, names = '', index) =>
      each(cluster, names, (id) => expect(id, 'its commit index', cluster.core(id).status.committed, index)),
  },
  {
    pattern: /^the logs? of (.+) begins? at (\d+)$/,
    act: (cluster, names = '', index) =>
      each(cluster, names, (id) => expect(id, 'its first index', cluster.core(id).status.firstIndex, index)),
  },
  {
    pattern: /^the logs? of (.+) ends? at (\d+) of term (\d+)$/,
    act: (cluster, names = '', index, term) =>
      each(cluster, names, (id) => {
        const { lastIndex, lastTerm } = cluster.core(id).status;
        expect(id, 'its log', `${lastIndex} of term ${lastTerm}`, `${index} of term ${term}`);
      }),
  },
  {
    pattern: /^the logs? of (.+) (?:is|are) durable up to (\d+)$/,
    act: (cluster, names = '', index) =>
      each(cluster, names, (id) =>
        expect(id, 'its durable index', cluster.core(id).status.durableIndex, index),
      ),
  },
  {
    pattern: /^the voters of (.+) are (.+?)(?: and outgoing (.+?))?(?: with learners (.+))?$/,
    act: (cluster, names = '', voters = '', outgoing = 'nobody', learners = 'nobody') =>
      each(cluster, names, (id) => {
        const { configuration } = cluster.core(id).status;
        expect(id, 'the set of voters', sorted(configuration.voters), sorted(voters.split(' ')));
        expect(id, 'the outgoing half', sorted(configuration.outgoing), sorted(outgoing.split(' ')));
        expect(id, 'the set of learners', sorted(configuration.learners), sorted(learners.split(' ')));
      }),
  },
  {
    pattern: /^(.+?) (?:has|have) applied (.+)$/,
    act: (cluster, names = '', commands) =>
      each(cluster, names, (id) => {
        const { applied } = cluster.member(id);
        expect(id, 'what it applied', applied.join(' ') || 'nothing', commands);
      }),
  },
  {
    pattern: /^(\S+)'s log holds (.+) at (\d+)$/,
    act: (cluster, id = '', command, index) => {
      const entry = cluster.core(id).entryAt(Number(index));
      const actual = entry === undefined ? 'nothing' : (commandText(entry) ?? entry.kind);
      expect(id, `its entry ${index}`, actual, command);
    },
  },
  {
    pattern: /^(\S+) (probes|replicates to|sends a snapshot to) (\S+)(?:, matched up to (\d+))?$/,
    act: (cluster, id = '', what, peer = '', match) => {
      const progress = cluster.core(id).status.progress.get(peer);
      const states = { probes: 'probe', 'replicates to': 'replicate', 'sends a snapshot to': 'snapshot' };
      const expected = Object.entries(states).find(([phrase]) => phrase === what)?.[1];
      expect(id, `its progress of ${peer}`, progress?.state ?? 'unknown', expected);
      if (match !== undefined) expect(id, `the match of ${peer}`, progress?.match, match);
    },
  },
  {
    pattern: /^(\S+) has (\d+) messages under way to (\S+)$/,
    act: (cluster, id = '', count, peer = '') =>
      expect(id, 'the window', cluster.core(id).status.progress.get(peer)?.inflightMessages, count),
  },
  {
    pattern: /^read (\d+) of (\S+) (is open|sees (\d+)|is refused: (\S+))$/,
    act: (cluster, read = '0', id = '', _what, index, reason) => {
      const result = cluster.member(id).reads.get(Number(read));
      const actual =
        result === undefined ? 'open' : result.kind === 'ready' ? `sees ${result.index}` : result.reason;
      expect(id, `read ${read}`, actual, index === undefined ? (reason ?? 'open') : `sees ${index}`);
    },
  },
  {
    pattern: /^(\S+) has (a|no) lease$/,
    act: (cluster, id = '', what) => expect(id, 'its lease', cluster.core(id).status.hasLease, what === 'a'),
  },
  {
    pattern: /^the transfer of (\S+) (?:has )?failed: (\S+)$/,
    act: (cluster, id = '', reason) =>
      expect(id, 'its transfer', cluster.member(id).transferFailure?.reason ?? 'not failed', reason),
  },
  {
    pattern: /^(\S+) is faulted: (\S+)$/,
    act: (cluster, id = '', fault) => expect(id, 'its fault', cluster.member(id).fault ?? 'none', fault),
  },
  {
    pattern: /^(\S+) was sent at most (\d+) ([a-z-]+)$/,
    act: (cluster, id = '', most = '0', type) => {
      const count = cluster.sent.get(`${type}>${id}`) ?? 0;
      if (count > Number(most))
        throw new Disappointment(`${id} was sent ${count} ${type}, not at most ${most}`);
    },
  },
  {
    pattern: /^(\S+) was sent no ([a-z-]+)$/,
    act: (cluster, id = '', type) =>
      expect(id, `the number of ${type} sent`, cluster.sent.get(`${type}>${id}`) ?? 0, 0),
  },
  {
    pattern: /^the disk of (\S+) has vote (\S+) in term (\d+)$/,
    act: (cluster, id = '', vote, term) => {
      const { hardState } = cluster.member(id).disk;
      expect(
        id,
        'its durable vote',
        `${hardState.vote ?? 'nobody'} in term ${hardState.term}`,
        `${vote} in term ${term}`,
      );
    },
  },
];
