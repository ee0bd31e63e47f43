/**
 * Planted bugs: each a small wrong patch to a copy of the core, one for a subtle point of Raft each. A scenario or the
 * simulator has to notice every one of them; what it can't notice, it does not test. The shipped code has no seam for
 * this: the patches are texts, and a patch whose place is no longer found, exactly once, is an error.
 */

import { cp, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

/** One planted bug. */
export interface Mutant {
  readonly name: string;
  /** In `src/core`. */
  readonly file: string;
  readonly find: string;
  readonly replace: string;
  /** A seed that is known to kill it in the simulator; absent if only a scenario does. */
  readonly seed?: number;
}

/** How a mutant ended. */
export interface MutantFate {
  readonly name: string;
  /** Scenarios that noticed it. */
  readonly scenarios: readonly string[];
  /** The first seed that noticed it, counted from the first that was tried. */
  readonly seedsToKill?: number;
  readonly seed?: number;
  readonly violation?: string;
}

/** What is loaded from a patched copy. Its types are those of the original. */
type Simulator = typeof import('./src/simulator/index.ts');
type Scenarios = typeof import('./src/scenario/run-scenario.ts');

const PACKAGE = new URL('./', import.meta.url);

/** The bugs. */
export const MUTANTS: readonly Mutant[] = [
  {
    name: 'a vote is told before it is on disk',
    file: 'campaign.ts',
    find: 'if (granted) member.sendWhenDurable(response);',
    replace: 'if (granted) member.messages.push(response);',
    seed: 1,
  },
  {
    name: 'a vote is forgotten on restart',
    file: 'member.ts',
    find: 'this.vote = stored.hardState.vote;',
    replace: 'this.vote = undefined;',
    seed: 1,
  },
  {
    name: 'a voter votes twice in a term',
    file: 'campaign.ts',
    find: '(isFree || member.vote === request.from) &&',
    replace: 'member.leader === undefined &&',
    seed: 2,
  },
  {
    name: 'logs are compared by length alone',
    file: 'log.ts',
    find: 'return place.term > this.lastTerm || (place.term === this.lastTerm && place.index >= this.lastIndex);',
    replace: 'return place.index >= this.lastIndex;',
    seed: 70,
  },
  {
    name: 'logs are compared by term alone',
    file: 'log.ts',
    find: '(place.term === this.lastTerm && place.index >= this.lastIndex)',
    replace: 'place.term === this.lastTerm',
    seed: 4,
  },
  {
    name: 'a candidate counts its own vote before it is on disk',
    file: 'roles.ts',
    find: "member.role = { kind: 'candidate', votes: new Map(), transfer };",
    replace: "member.role = { kind: 'candidate', votes: new Map([[member.id, true]]), transfer };",
    seed: 6,
  },
  {
    name: 'votes are asked for before the term is on disk',
    file: 'campaign.ts',
    find: "    member.sendWhenDurable({\n      type: 'vote-request',",
    replace: "    member.messages.push({\n      type: 'vote-request',",
    seed: 1,
  },
  {
    name: 'a pre-vote raises the term',
    file: 'step.ts',
    find: '    answerPreVote(member, message);',
    replace:
      '    answerPreVote(member, message);\n    if (message.term > member.term) becomeFollower(member, message.term);',
    seed: 42,
  },
  {
    name: 'a refused pre-vote hides the higher term',
    file: 'campaign.ts',
    find: 'term: granted ? request.term : member.term,',
    replace: 'term: granted ? request.term : Math.min(member.term, request.term - 1),',
    seed: 67,
  },
  {
    name: 'voters are not loyal to a leader they hear',
    file: 'member.ts',
    find: "return this.role.kind === 'leader' || this.clock - this.leaderContact < this.options.electionTicksMin;",
    replace: "return this.role.kind === 'leader';",
  },
  {
    name: 'a restart forgets the loyalty',
    file: 'member.ts',
    find: 'this.leaderContact = this.term > 0 ? 0 : Number.NEGATIVE_INFINITY;',
    replace: 'this.leaderContact = Number.NEGATIVE_INFINITY;',
  },
  {
    name: 'a leader without a quorum stays',
    file: 'leader.ts',
    find: '!hasQuorumContact(member, leadership) || isStalled',
    replace: 'isStalled',
  },
  {
    name: 'a leader with a stuck quorum of disks stays',
    file: 'leader.ts',
    find: ' || isStalled(member, leadership)) {',
    replace: ') {',
  },
  {
    name: 'an entry of an older term is committed by count',
    file: 'leader.ts',
    find: 'if (index > log.committed && log.termAt(index) === member.term) {',
    replace: 'if (index > log.committed) {',
    seed: 1,
  },
  {
    name: 'a leader counts itself before its disk has the entry',
    file: 'leader.ts',
    find: 'id === member.id ? member.persistence.durableIndex',
    replace: 'id === member.id ? log.lastIndex',
    seed: 6,
  },
  {
    name: 'a follower acknowledges before its disk has the entry',
    file: 'follower.ts',
    find: "  member.sendWhenDurable({\n    type: 'append-accepted',",
    replace: "  member.messages.push({\n    type: 'append-accepted',",
    seed: 1,
  },
  {
    name: 'a late write counts for entries that took the place of its own',
    file: 'persistence.ts',
    find: 'for (const batch of this.#underWay) batch.lastIndex = Math.min(batch.lastIndex, index - 1);',
    replace: '',
    seed: 38,
  },
  {
    name: 'a late message cuts off entries that match',
    file: 'log.ts',
    find: 'entries.findIndex((entry) => this.termAt(entry.index) !== entry.term)',
    replace: 'entries.findIndex((entry) => entry.index > this.committed)',
    seed: 4,
  },
  {
    name: 'a follower commits what was not verified',
    file: 'follower.ts',
    find: 'log.commitTo(Math.min(request.commit, verified));',
    replace: 'log.commitTo(Math.min(request.commit, log.lastIndex));',
  },
  {
    name: 'a heartbeat commits beyond the match',
    file: 'replication.ts',
    find: 'commit: Math.min(progress.match, member.log.committed),',
    replace: 'commit: member.log.committed,',
    seed: 1,
  },
  {
    name: 'a learner is counted for commits',
    file: 'leader.ts',
    find: 'const index = quorumValue(log.configuration, (id) =>',
    replace:
      'const { voters, learners, outgoing } = log.configuration;\n  const index = quorumValue({ voters: [...voters, ...learners], outgoing }, (id) =>',
    seed: 1,
  },
  {
    name: 'half of a joint quorum is dropped for commits',
    file: 'quorum.ts',
    find: 'return sets.outgoing.length === 0 ? incoming : Math.min(incoming, majorityValue(sets.outgoing, reached));',
    replace: 'return incoming;',
    seed: 8,
  },
  {
    name: 'half of a joint quorum is dropped for votes',
    file: 'quorum.ts',
    find: "return incoming === 'won' && outgoing === 'won' ? 'won' : 'pending';",
    replace: 'return incoming;',
  },
  {
    name: 'two of four are a majority',
    file: 'quorum.ts',
    find: 'return Math.floor(count / 2) + 1;',
    replace: 'return Math.ceil(count / 2);',
    seed: 1,
  },
  {
    name: 'a configuration changes before the term has begun',
    file: 'reconfiguration.ts',
    find: '  if (log.committed < leadership.startIndex) {',
    replace: '  if (log.committed < 0) {',
    seed: 11,
  },
  {
    name: 'a second change begins before the first is committed',
    file: 'reconfiguration.ts',
    find: '  if (log.configurationIndex > log.committed) {',
    replace: '  if (log.configurationIndex < 0) {',
    seed: 16,
  },
  {
    name: 'a joint configuration is left before it is committed',
    file: 'reconfiguration.ts',
    find: 'if (log.configurationIndex > log.committed || log.committed < leadership.startIndex) return;',
    replace: 'if (log.committed < leadership.startIndex) return;',
    seed: 1,
  },
  {
    name: 'a new leader does not leave the joint configuration it found',
    file: 'reconfiguration.ts',
    find: 'if (configuration.leaveAutomatically && ',
    replace: 'if (configuration.leaveAutomatically && log.configurationIndex > leadership.startIndex && ',
    seed: 7,
  },
  {
    name: 'several voters change in one step',
    file: 'membership.ts',
    find: "if (transition === 'automatic' && changed <= 1)",
    replace: "if (transition === 'automatic')",
    seed: 3,
  },
  {
    name: 'a removed leader stays',
    file: 'reconfiguration.ts',
    find: '} else if (!configuration.voters.includes(member.id)) leadership.isResigning = true;',
    replace: '}',
    seed: 9,
  },
  {
    name: 'a removed leader counts itself',
    file: 'leader.ts',
    find: 'const index = quorumValue(log.configuration, (id) =>',
    replace:
      'const { voters, outgoing } = log.configuration;\n  const index = quorumValue({ voters: voters.includes(member.id) ? voters : [...voters.slice(1), member.id], outgoing }, (id) =>',
    seed: 7,
  },
  {
    name: 'a truncated configuration stays in force',
    file: 'configuration-history.ts',
    find: 'this.#placed = this.#placed.filter((placed, at) => at === 0 || placed.index < index);',
    replace: '',
    seed: 1,
  },
  {
    name: 'a learner does not vote',
    file: 'campaign.ts',
    find: '    member.fault === undefined &&\n    (isFree',
    replace: '    member.isPromotable &&\n    (isFree',
    seed: 7,
  },
  {
    name: 'a learner campaigns',
    file: 'member.ts',
    find: '    if (configurationIndex <= committed || configuration.voters.length === 0) return false;',
    replace: '    if (configurationIndex <= committed) return configuration.voters.length > 0;',
  },
  {
    name: 'a member left out by an uncommitted configuration never campaigns',
    file: 'member.ts',
    find: 'return before.voters.includes(this.id) || before.outgoing.includes(this.id);',
    replace: 'return before.voters.length < 0;',
    seed: 70,
  },
  {
    name: 'a removed id is taken again',
    file: 'membership.ts',
    find: '} else if (current.removed.includes(member)) {',
    replace: '} else if (current.removed.length < 0) {',
  },
  {
    name: 'a read is served without asking anyone',
    file: 'reads.ts',
    find: 'else reads.collect(origin, committed);',
    replace: 'else answerRead(member, origin, committed);',
    seed: 38,
  },
  {
    name: 'a read is served before the term has begun',
    file: 'reads.ts',
    find: 'else if (committed < startIndex) reads.wait(origin);',
    replace: '',
    seed: 3,
  },
  {
    name: 'any answer confirms every read',
    file: 'replication.ts',
    find: 'progress.ackedRound = Math.max(progress.ackedRound, message.round);',
    replace: 'progress.ackedRound = Number.MAX_SAFE_INTEGER;',
    seed: 38,
  },
  {
    name: 'an answer confirms another attempt of the same read',
    file: 'reads.ts',
    find: 'findIndex((forwarded) => forwarded.attempt.number === number)',
    replace: 'findIndex((forwarded) => forwarded.attempt.number >= number)',
  },
  {
    name: 'a read is served before the state machine is there',
    file: 'reads.ts',
    find: 'filter(({ index }) => index <= log.applied);',
    replace: 'filter(({ index }) => index <= log.committed);',
    seed: 6,
  },
  {
    name: 'the lease counts from the answer',
    file: 'replication.ts',
    find: 'progress.ackedSent = Math.max(progress.ackedSent, message.sent);',
    replace: 'progress.ackedSent = member.clock;',
  },
  {
    name: 'a lease outlives a transfer',
    file: 'reads.ts',
    find: ' || leadership.transfer !== undefined || leadership.wasHandedOver',
    replace: '',
  },
  {
    name: 'a lease outlives a pause',
    file: 'raft.ts',
    find: 'member.clock += elapsed;',
    replace: 'member.clock += 1;',
    seed: 340,
  },
  {
    name: 'a snapshot that was shipped counts as stored',
    file: 'raft.ts',
    find: "if (outcome === 'failed') progress.snapshotIndex = 0;",
    replace:
      "if (outcome === 'failed') progress.snapshotIndex = 0;\n    else progress.match = progress.snapshotIndex;",
    seed: 118,
  },
  {
    name: 'a snapshot is used before it is on disk',
    file: 'raft.ts',
    find: '    if (member.persistence.durableIndex < snapshot.index) return undefined;\n',
    replace: '',
    seed: 10,
  },
  {
    name: 'a snapshot carries the newest configuration instead of its own',
    file: 'raft.ts',
    find: 'configuration: log.configurationAt(log.applied)',
    replace: 'configuration: log.configuration',
    seed: 24,
  },
  {
    name: 'entries are applied before they are on disk',
    file: 'raft.ts',
    find: 'const last = Math.min(log.committed, persistence.durableIndex);',
    replace: 'const last = Math.min(log.committed, Math.max(persistence.durableIndex, log.committed));',
    seed: 4,
  },
  {
    name: 'compaction forgets what was not applied',
    file: 'log.ts',
    find: 'const index = Math.min(keepAfter, snapshot.index);',
    replace: 'const index = Math.min(keepAfter + 2, this.committed);',
    seed: 6,
  },
  {
    name: 'what was lost in a full window is never noticed',
    file: 'replication.ts',
    find: "if (progress.state === 'replicate' && progress.match < member.log.lastIndex) progress.isCheckDue = true;",
    replace: '',
    seed: 85,
  },
  {
    name: 'a probe that was lost is never repeated',
    file: 'replication.ts',
    find: '  progress.isPaused = false;\n  if (progress.state ===',
    replace: '  if (progress.state ===',
    seed: 10,
  },
  {
    name: 'a transfer never times out',
    file: 'transfer.ts',
    find: "} else if (member.clock >= transfer.deadline) abandonTransfer(member, leadership, 'timed-out');",
    replace: '}',
  },
  {
    name: 'a follower goes on with a disk that has forgotten',
    file: 'follower.ts',
    find: 'if (heartbeat.commit > member.log.lastIndex) {',
    replace: 'if (heartbeat.commit < 0) {',
  },
];

/** Writes a copy of the package's sources with one bug in it, into `folder`. */
export async function plant(mutant: Mutant, folder: string): Promise<void> {
  for (const part of ['core', 'linearizability', 'simulator', 'scenario', 'search']) {
    await cp(new URL(`src/${part}`, PACKAGE), join(folder, 'src', part), { recursive: true });
  }
  await writeFile(join(folder, 'package.json'), '{"type":"module"}');
  const path = join(folder, 'src', 'core', mutant.file);
  const source = await readFile(path, 'utf8');
  const found = source.split(mutant.find).length - 1;
  if (found !== 1) throw new Error(`"${mutant.name}": its place in ${mutant.file} is found ${found} times`);
  await writeFile(
    path,
    source.replace(mutant.find, () => mutant.replace),
  );
}

/** Lets the scenarios and the simulator try to notice a bug, as far as they are asked to. */
export async function tryMutant(
  mutant: Mutant,
  limits: {
    readonly scenarios: boolean;
    readonly seedsMax: number;
    readonly steps: number;
    readonly firstSeed: number;
  },
): Promise<MutantFate> {
  const folder = await mkdtemp(join(tmpdir(), 'raft-mutant-'));
  try {
    await plant(mutant, folder);
    const load = (path: string) => import(/* @vite-ignore */ pathToFileURL(join(folder, 'src', path)).href);
    const scenarios = limits.scenarios ? await failingScenarios(await load('scenario/run-scenario.ts')) : [];
    if (limits.seedsMax === 0) return { name: mutant.name, scenarios };
    const { simulateCores: simulate }: Simulator = await load('simulator/index.ts');
    for (let tried = 0; tried < limits.seedsMax; tried++) {
      const seed = limits.firstSeed + tried;
      const { violation } = simulate({ seed, steps: limits.steps });
      if (violation !== undefined) {
        return { name: mutant.name, scenarios, seedsToKill: tried + 1, seed, violation };
      }
    }
    return { name: mutant.name, scenarios };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function failingScenarios({ runScenario }: Scenarios): Promise<string[]> {
  const folder = new URL('scenarios/', PACKAGE);
  const failing: string[] = [];
  const files = (await readdir(folder)).filter((name) => name.endsWith('.txt'));
  for (const file of files.sort()) {
    try {
      runScenario(await readFile(new URL(file, folder), 'utf8'));
    } catch {
      failing.push(file.replace('.txt', ''));
    }
  }
  return failing;
}
