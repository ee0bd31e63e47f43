/** `service ls`, `service ps` and `node ls` as people know them from the docker CLI. */

import type { Cluster, Service, Task } from '@skep/core';
import stringWidth from 'string-width';

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

/** One line a service: its mode, how many of its tasks run, its image and ports. */
export function serviceTable(cluster: Cluster): string[] {
  const rows = cluster.services.list().map((service) => {
    const { running, desired } = cluster.services.status(service.id);
    return [
      service.id.slice(0, 12),
      service.spec.name,
      service.spec.mode,
      `${running}/${desired}`,
      service.spec.task.image ?? service.spec.task.command?.join(' ') ?? '',
      portsText(service),
    ];
  });
  return table([['ID', 'NAME', 'MODE', 'REPLICAS', 'IMAGE', 'PORTS'], ...rows]);
}

/** One line a task, newest of each slot first. */
export function taskTable(cluster: Cluster, services: readonly Service[], now: number): string[] {
  const hostnames = new Map(cluster.nodes.list().map((node) => [node.id, node.description.hostname]));
  const rows = services.flatMap((service) => {
    const tasks = [...cluster.tasks.list({ service: service.id })];
    tasks.sort((a, b) => a.slot - b.slot || b.createdAt - a.createdAt);
    return tasks.map((task, index) => {
      const newest = index === 0 || tasks[index - 1]?.slot !== task.slot || task.slot === 0;
      const name = `${service.spec.name}.${task.slot === 0 ? (task.nodeId ?? '') : task.slot}`;
      return [
        task.id.slice(0, 12),
        newest ? name : ` \\_ ${name}`,
        task.nodeId === undefined ? '' : (hostnames.get(task.nodeId) ?? task.nodeId),
        title(task.desiredState),
        `${title(task.status.state)} ${ago(now - task.status.at)}`,
        addressText(task),
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

function addressText({ status }: Task): string {
  const [first] = status.state === 'running' ? (status.runtime?.ports ?? []) : [];
  return first ? `127.0.0.1:${first.port}` : '';
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
