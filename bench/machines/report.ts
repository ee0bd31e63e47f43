/** The result as a table, beside what was asked for and what Swarm mode does. */

import { type Table, whole } from '../harness/table.ts';
import type { MachinesBenchResult } from '../machines.ts';
import type { Times } from './times.ts';
import type { Blips } from './worker-lost.ts';

const HEADINGS = ['', 'goal', 'median', 'p99', 'longest', 'times', 'Swarm mode, cited'];

/** The result for people. */
export function machinesTable(result: MachinesBenchResult): Table {
  return { headings: HEADINGS, rows: rowsOf(result) };
}

type Row = readonly string[];

function rowsOf({ joins, leader, workers, sessions, service, memory }: MachinesBenchResult): Row[] {
  const rows: Row[] = [];
  if (joins !== undefined) {
    rows.push(
      timed('join as manager', '1 s', joins.manager, '0.62 s'),
      timed('join as worker', '300 ms', joins.worker, '0.24 s'),
      timed('join as worker, until it is given tasks', '', joins.workerReady, ''),
    );
  }
  if (leader !== undefined) {
    const goal = '1 s, p99 1.5 s';
    rows.push(timed('leader killed, until a command is accepted', goal, leader, '12.6–13.5 s'));
  }
  if (workers !== undefined) {
    const { killedDown, killed, silent, stopped, cut } = workers;
    rows.push(
      timed('worker killed, until it counts as down', '', killedDown, '11.8 s'),
      timed('worker and its tasks killed, until they run elsewhere', '5 s', killed, '12.9 s'),
      timed('worker silent, until its tasks run elsewhere', '', silent, '13.1 s'),
      blips('worker stopped for 3 s', stopped),
      blips("worker's connections cut for 3 s", cut),
    );
  }
  if (sessions !== undefined) {
    const share = `${(sessions.cpuShare * 100).toFixed(0)} % of a core`;
    const what = `manager's processor time for ${whole(sessions.sessions)} sessions`;
    rows.push(
      [what, '50 %', share, '', '', '', ''],
      ['— sessions lost meanwhile', '0', whole(sessions.lost), '', '', '', ''],
      ["— the manager's longest turn of the event loop", '', ms(sessions.longestPauseMs), '', '', '', ''],
      ['— joins a second before, on the same machine', '', whole(sessions.joinsPerSecond), '', '', '', ''],
      ['— resident memory of the manager', '', `${whole(sessions.residentMiB)} MiB`, '', '', '', ''],
    );
  }
  if (service !== undefined) {
    const what = `${whole(service.replicas)} replicas created, until all are pending`;
    rows.push(
      timed(what, '1 s', service.leader, '5.0 s'),
      timed('— and all three managers show it', '', service.all, ''),
    );
  }
  if (memory !== undefined) {
    const bytes = (value: number) => `${whole(value)} B`;
    const of = `of a task, at ${whole(memory.tasks)}`;
    rows.push(
      [`memory ${of}: leader`, '2,000 B', bytes(memory.leader.alive), '', '', '', '21 KB resident'],
      [`memory ${of}: follower`, '2,000 B', bytes(memory.follower.alive), '', '', '', '14 KB resident'],
      ['— resident: leader', '', bytes(memory.leader.resident), '', '', '', ''],
      ['— resident: follower', '', bytes(memory.follower.resident), '', '', '', ''],
    );
  }
  return rows;
}

function timed(what: string, goal: string, { p50, p99, longest, count }: Times, peer: string): Row {
  return [what, goal, ms(p50), ms(p99), ms(longest), whole(count), peer];
}

function blips(what: string, { count, suspect, down, evicted, created }: Blips): Row {
  const seen = `${down} down, ${evicted} evicted, ${created} made (${suspect} suspect)`;
  return [what, 'nothing evicted', seen, '', '', whole(count), ''];
}

function ms(value: number): string {
  return value < 1_000 ? `${value.toFixed(0)} ms` : `${(value / 1_000).toFixed(2)} s`;
}
