/** What a scenario can say: each phrase with what it does. `<names>` are members, "all" means everyone. */

import type { MemberChange, Transition } from '../core/membership.ts';
import type { MessageType } from '../core/message.ts';
import type { RaftOptions } from '../core/options.ts';
import type { Entry, MemberId } from '../core/types.ts';
import type { ScenarioCluster } from './scenario-cluster.ts';

/** A phrase and its meaning. The groups of the pattern are the arguments. */
export interface Phrase {
  readonly pattern: RegExp;
  readonly act: (cluster: ScenarioCluster, ...words: string[]) => void;
}

/** The members that a list names. */
export function membersNamed(cluster: ScenarioCluster, list: string): MemberId[] {
  return list === 'all' ? [...cluster.members.keys()] : list.split(/ and |, | /);
}

/** Fails unless the core answered as the scenario says: taken, or refused for that reason. */
function check(
  result: { readonly ok: boolean; readonly reason?: string },
  refusal: string | undefined,
): void {
  const answer = result.ok ? 'taken' : `refused: ${result.reason}`;
  const expected = refusal === undefined ? 'taken' : `refused: ${refusal}`;
  if (answer !== expected) throw new Error(`expected it to be ${expected}, but it was ${answer}`);
}

function changesOf(words: string): MemberChange[] {
  return words.split(' ').map((word) => {
    const member = word.slice(1);
    if (word.startsWith('+')) return { kind: 'add-voter', member };
    if (word.startsWith('~')) return { kind: 'add-learner', member };
    if (word.startsWith('-')) return { kind: 'remove', member };
    throw new Error(`a change begins with + (voter), ~ (learner) or - (remove): ${word}`);
  });
}

const TRANSITIONS: Readonly<Record<string, Transition>> = {
  '': 'automatic',
  ' through a joint configuration': 'joint',
  ' through a joint configuration that stays': 'joint-until-left',
};

function entriesOfTerms(base: number, terms: string): Entry[] {
  return terms.split(' ').map((term, at) => ({ kind: 'empty', index: base + 1 + at, term: Number(term) }));
}

const REFUSED = '(?: and is refused: (\\S+))?';

/** Phrases that make something happen. */
export const ACTIONS: readonly Phrase[] = [
  {
    pattern: /^voters (.+?)(?: and learners (.+?))?(?: share a log up to (\d+))?$/,
    act: (cluster, voters = '', learners, index = '0') =>
      cluster.found(voters.split(/,? /), learners === undefined ? [] : learners.split(/,? /), Number(index)),
  },
  {
    pattern: /^(\S+)'s log goes on with terms ([\d ]+) and its term is (\d+)$/,
    act: (cluster, id = '', terms = '', term = '0') => {
      const { disk } = cluster.member(id);
      const base = disk.lastIndex;
      const { snapshot } = disk.stored;
      const hardState = { term: Number(term), commit: base };
      cluster.add(id, {
        hardState,
        ...(snapshot === undefined ? {} : { snapshot }),
        entries: entriesOfTerms(base, terms),
      });
    },
  },
  {
    pattern: /^option (\w+) is (\d+)$/,
    act: (cluster, name = '', value = '') => {
      const option: Partial<RaftOptions> = { [name]: Number(value) };
      cluster.options = { ...cluster.options, ...option };
    },
  },
  {
    pattern: /^nobody reports what becomes of snapshots$/,
    act: (cluster) => {
      cluster.reportsSnapshots = false;
    },
  },
  { pattern: /^(\S+) starts with an empty disk$/, act: (cluster, id = '') => cluster.add(id) },
  { pattern: /^(\S+) starts again$/, act: (cluster, id = '') => cluster.start(id) },
  { pattern: /^(\S+) crashes$/, act: (cluster, id = '') => cluster.crash(id) },
  {
    pattern: /^(\S+)'s disk is swapped for an older copy ending at (\d+)$/,
    act: (cluster, id = '', index = '0') => {
      const { stored } = cluster.member(id).disk;
      cluster.add(id, { ...stored, entries: stored.entries.filter((entry) => entry.index <= Number(index)) });
    },
  },
  {
    pattern: /^(\S+) campaigns( in vain)?$/,
    act: (cluster, id = '', inVain) => {
      if (cluster.core(id).campaign() !== (inVain === undefined)) {
        throw new Error(inVain === undefined ? 'it may not campaign' : 'it may campaign');
      }
    },
  },
  {
    pattern: /^(.+) ticks? (\d+)(?: times?)?$/,
    act: (cluster, names = '', count = '1') => {
      for (let tick = 0; tick < Number(count); tick++) {
        for (const id of membersNamed(cluster, names)) cluster.member(id).core?.tick();
      }
    },
  },
  {
    pattern: /^(\S+) is held up for (\d+) ticks$/,
    act: (cluster, id = '', count = '1') => cluster.core(id).tick(Number(count)),
  },
  {
    pattern: /^(.+) settles?$/,
    act: (cluster, names = '') => cluster.settle(membersNamed(cluster, names)),
  },
  {
    pattern: /^for (\d+) ticks (.+) lives?$/,
    act: (cluster, count = '1', names = '') => {
      const ids = membersNamed(cluster, names);
      for (let tick = 0; tick < Number(count); tick++) {
        for (const id of ids) cluster.member(id).core?.tick();
        cluster.settle(ids);
      }
    },
  },
  {
    pattern: /^(.+) works?$/,
    act: (cluster, names = '') => {
      for (const id of membersNamed(cluster, names)) cluster.work(id);
    },
  },
  {
    pattern: /^(\S+)'s disk (waits|goes on|finishes a write)$/,
    act: (cluster, id = '', what) => {
      if (what === 'finishes a write') {
        if (!cluster.finishWrite(id)) throw new Error('no write is under way');
      } else cluster.member(id).diskWaits = what === 'waits';
    },
  },
  {
    pattern: /^(\S+)'s state machine (waits|goes on)$/,
    act: (cluster, id = '', what) => {
      const member = cluster.member(id);
      member.applyWaits = what === 'waits';
      if (!member.applyWaits && member.handedOut > member.appliedIndex) {
        member.appliedIndex = member.handedOut;
        member.core?.applied(member.handedOut);
      }
    },
  },
  {
    pattern: /^(.+?) receives? (?:all|(?:the|an?) ([a-z-]+))(?: from (\S+))?$/,
    act: (cluster, names = '', type, from) => {
      for (const to of membersNamed(cluster, names)) {
        const messages = cluster.take(matching({ to, type, from }));
        if (messages.length === 0) throw new Error(`there is no such message to ${to}`);
        cluster.deliver(messages);
      }
    },
  },
  {
    pattern: /^(\S+) receives all from (\S+) twice$/,
    act: (cluster, to, from) => {
      const messages = cluster.take(matching({ to, from, type: undefined }));
      cluster.deliver(messages);
      cluster.deliver(messages);
    },
  },
  {
    pattern:
      /^(\S+) hears from (\S+) in term (\d+): after (\d+) of term (\d+) come terms ([\d ]+), committed (\d+)$/,
    act: (cluster, to = '', from = '', ...numbers) => {
      const [term = '', prevIndex = '', prevTerm = '', terms = '', commit = ''] = numbers;
      cluster.core(to).step({
        type: 'append-request',
        from,
        to,
        term: Number(term),
        prevIndex: Number(prevIndex),
        prevTerm: Number(prevTerm),
        entries: entriesOfTerms(Number(prevIndex), terms),
        commit: Number(commit),
      });
    },
  },
  {
    pattern: /^messages(?: from (\S+))?(?: to (\S+))? are lost$/,
    act: (cluster, from, to) => cluster.lose(cluster.take(matching({ from, to, type: undefined }))),
  },
  {
    pattern: /^(\S+) is cut off from (.+)$/,
    act: (cluster, id = '', others = '') => {
      for (const other of membersNamed(cluster, others)) {
        cluster.cut(id, other);
        cluster.cut(other, id);
      }
    },
  },
  {
    pattern: /^(\S+) no longer reaches (.+)$/,
    act: (cluster, id = '', others = '') => {
      for (const other of membersNamed(cluster, others)) cluster.cut(id, other);
    },
  },
  { pattern: /^the network heals$/, act: (cluster) => cluster.heal() },
  {
    pattern: new RegExp(`^(\\S+) proposes (.+?)${REFUSED}$`),
    act: (cluster, id = '', commands = '', refusal) => {
      const payloads = commands.split(' ').map((command) => new TextEncoder().encode(command));
      check(cluster.core(id).propose(payloads), refusal);
    },
  },
  {
    pattern: new RegExp(
      `^(\\S+) changes ([+~-].*?)( through a joint configuration(?: that stays)?)?${REFUSED}$`,
    ),
    act: (cluster, id = '', changes = '', transition = '', refusal) => {
      const result = cluster.core(id).changeConfiguration(changesOf(changes), TRANSITIONS[transition]);
      check(result, refusal);
    },
  },
  {
    pattern: new RegExp(`^(\\S+) leaves the joint configuration${REFUSED}$`),
    act: (cluster, id = '', refusal) => check(cluster.core(id).leaveJoint(), refusal),
  },
  {
    pattern: new RegExp(`^(\\S+) hands over to (\\S+?)${REFUSED}$`),
    act: (cluster, id = '', target = '', refusal) =>
      check(cluster.core(id).transferLeadership(target), refusal),
  },
  {
    pattern: /^(\S+) begins read (\d+)( under its lease)?$/,
    act: (cluster, id = '', read = '0', lease) =>
      cluster.core(id).readIndex(Number(read), { lease: lease !== undefined }),
  },
  {
    pattern: /^(\S+) takes a snapshot$/,
    act: (cluster, id = '') => {
      const core = cluster.core(id);
      const snapshot = core.describeSnapshot();
      if (snapshot === undefined) throw new Error('it is restoring one');
      cluster.member(id).disk.storeSnapshot(snapshot, core.snapshotStored(snapshot));
    },
  },
  {
    pattern: /^(\S+) is told that (\S+) is unreachable$/,
    act: (cluster, id = '', peer = '') => cluster.core(id).peerUnreachable(peer),
  },
  {
    pattern: /^(\S+) is told that the snapshot to (\S+) (failed|was delivered)$/,
    act: (cluster, id = '', peer = '', what) =>
      cluster.core(id).snapshotReport(peer, what === 'failed' ? 'failed' : 'delivered'),
  },
];

function matching(wanted: {
  readonly from: string | undefined;
  readonly to: string | undefined;
  readonly type: string | undefined;
}): (message: { readonly from: MemberId; readonly to: MemberId; readonly type: MessageType }) => boolean {
  return ({ from, to, type }) =>
    (wanted.from === undefined || from === wanted.from) &&
    (wanted.to === undefined || to === wanted.to) &&
    (wanted.type === undefined || type === wanted.type);
}
