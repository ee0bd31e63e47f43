/** `service ls`, `service ps` and `node ls` as people know them from the docker CLI. */

import type { Service, Task } from '@skep/core';
import stringWidth from 'string-width';
import type { FleetNode } from './fleet.ts';
import type { Picture } from './picture.ts';

/** Rows of cells as aligned columns, three spaces apart. */
export function table(rows: readonly (readonly string[])[]): string[] {
  const widths = rows.reduce<number[]>((widest, row) => {
    return row.map((cell, column) => Math.max(widest[column] ?? 0, stringWidth(cell)));
  }, []);
  return rows.map((row) =>
    row
      .map((cell, column) => cell + ' '.repeat((widths[column] ?? 0) - stringWidth(cell)))
      .join('   ')
      .trimEnd(),
  );
}

/** One line a node: what the managers know of it, and the process that it is. */
export function nodeTable(nodes: readonly FleetNode[], picture: Picture): string[] {
  const known = new Map(picture.nodes.map((node) => [node.description.hostname, node]));
  const rows = nodes.map(({ hostname, role, address, process }) => {
    const node = known.get(hostname);
    const leads = node !== undefined && node.id === picture.leader;
    return [
      node?.id.slice(0, 12) ?? '',
      hostname,
      title(node?.status.state ?? 'unknown'),
      title(node?.spec.availability ?? ''),
      leads ? 'Leader' : role === 'manager' && process.isReady ? 'Reachable' : '',
      `${address.host}:${address.port}`,
      process.pid === undefined ? 'starts again' : String(process.pid),
    ];
  });
  return table([['ID', 'HOSTNAME', 'STATUS', 'AVAILABILITY', 'MANAGER STATUS', 'ADDRESS', 'PID'], ...rows]);
}

/** One line a service: its mode, how many of its tasks run, its image, ports and networks, and its update. */
export function serviceTable(picture: Picture): string[] {
  const rows = picture.services.map(({ service, status: { running, desired, update } }) => [
    service.id.slice(0, 12),
    service.spec.name,
    service.spec.mode,
    `${running}/${desired}`,
    service.spec.task.image ?? service.spec.task.command?.join(' ') ?? '',
    portsText(service),
    service.spec.task.networks.map(({ name }) => name).join(', '),
    update === undefined ? '' : title(update.state.replaceAll('_', ' ')),
  ]);
  return table([['ID', 'NAME', 'MODE', 'REPLICAS', 'IMAGE', 'PORTS', 'NETWORKS', 'UPDATE'], ...rows]);
}

/** One line a task, newest of each slot first. @param hosts - where the tasks of each node are reached, by its hostname */
export function taskTable(picture: Picture, hosts: ReadonlyMap<string, string>, now: number): string[] {
  const hostnames = new Map(picture.nodes.map((node) => [node.id, node.description.hostname]));
  const rows = picture.services.flatMap(({ service }) => {
    const tasks = picture.tasks.filter(({ serviceId }) => serviceId === service.id);
    tasks.sort((a, b) => a.slot - b.slot || b.createdAt - a.createdAt);
    return tasks.map((task, index) => {
      const newest = index === 0 || tasks[index - 1]?.slot !== task.slot || task.slot === 0;
      const name = `${service.spec.name}.${task.slot === 0 ? (task.nodeId ?? '') : task.slot}`;
      const hostname = task.nodeId === undefined ? '' : (hostnames.get(task.nodeId) ?? task.nodeId);
      return [
        task.id.slice(0, 12),
        newest ? name : ` \\_ ${name}`,
        hostname,
        title(task.desiredState),
        `${title(task.status.state)} ${ago(now - task.status.at)}`,
        addressText(task, hosts.get(hostname)),
        errorText(task),
      ];
    });
  });
  return table([['ID', 'NAME', 'NODE', 'DESIRED STATE', 'CURRENT STATE', 'ADDRESS', 'ERROR'], ...rows]);
}

function portsText({ spec, endpoint }: Service): string {
  const ports = endpoint?.ports ?? spec.ports;
  return ports.map((port) => `*:${port.published ?? ''}->${port.target}/${port.protocol}`).join(', ');
}

function addressText({ status }: Task, host = '127.0.0.1'): string {
  const [first] = status.state === 'running' ? (status.runtime?.ports ?? []) : [];
  return first ? `${host}:${first.port}` : '';
}

function errorText({ status, explanation }: Task): string {
  const text = status.error ?? explanation?.message;
  return text === undefined ? '' : `"${text}"`;
}

function title(word: string): string {
  return word.charAt(0).toUpperCase() + word.slice(1);
}

function ago(ms: number): string {
  const seconds = Math.max(0, Math.round(ms / 1_000));
  if (seconds < 60) return `${seconds} s ago`;
  return seconds < 3_600 ? `${Math.round(seconds / 60)} min ago` : `${Math.round(seconds / 3_600)} h ago`;
}
