/**
 * Volumes that live on one node, and whose tasks go where they are. A volume is told by its name, which templates make
 * one of each slot: `data-{{.Task.Slot}}`. So a slot that is given another task finds its data again.
 */

import type { SpecIssue } from '../errors.ts';
import type { Task } from './objects.ts';
import type { ServiceSpec } from './service-spec.ts';
import type { TaskSpec } from './task-spec.ts';
import { expandTemplate, fieldsOf, parseTemplate, type Template } from './template.ts';

type Mount = TaskSpec['mounts'][number];

// Specs are immutable and shared by all tasks made from them, so what was worked out once holds.
const namesBySpec = new WeakMap<TaskSpec, readonly Template[]>();
const NONE: readonly Template[] = [];

/** Whether the volume of a mount lives on one node: as the mount says, or else where it is of a slot. */
export function isPinned({ type, source, pinned }: Mount): boolean {
  if (type !== 'volume' || source === undefined) return false;
  if (pinned !== undefined) return pinned;
  const fields = fieldsOf(parseTemplate(source));
  return fields.includes('.Task.Slot') && !fields.some(differsByTask);
}

/** True when tasks of this spec mount volumes that they follow. */
export function mountsPinned(spec: TaskSpec): boolean {
  return namesOf(spec).length > 0;
}

/** Names of the volumes that a task follows. Empty in a global service, whose slots are the nodes themselves. */
export function pinnedVolumes(
  { spec, slot, id, serviceId }: Pick<Task, 'spec' | 'slot' | 'id' | 'serviceId'>,
  service: Pick<ServiceSpec, 'name' | 'labels'> | undefined,
): readonly string[] {
  const names = namesOf(spec);
  if (names.length === 0 || slot === 0 || service === undefined) return [];
  const context = {
    service: { id: serviceId, name: service.name, labels: service.labels },
    node: { id: '', hostname: '', platform: { os: '', architecture: '' } },
    task: { id, name: '', slot: String(slot) },
  };
  return names.map((name) => expandTemplate(name, context));
}

/** The rules that pinned mounts of a service break. */
export function pinIssues({ mode, replicas, autoscale, task }: ServiceSpec): SpecIssue[] {
  return task.mounts.flatMap((mount, index): SpecIssue[] => {
    if (mount.pinned === undefined) return [];
    const field = `task.mounts[${index}].pinned`;
    const { type, source } = mount;
    if (type !== 'volume' || source === undefined) return [{ field, rule: 'is for volumes with a name' }];
    if (!mount.pinned) return [];
    if (mode === 'global' || mode === 'global-job') {
      return [{ field, rule: 'has no meaning where each node has a task of its own' }];
    }
    const fields = fieldsOf(parseTemplate(source));
    const varying = fields.find(differsByTask);
    if (varying !== undefined)
      return [{ field, rule: `can not be, since ${varying} makes another volume of it` }];
    const isShared = !fields.includes('.Task.Slot');
    return isShared && (mode !== 'replicated' || (autoscale?.max ?? replicas ?? 1) > 1)
      ? [{ field, rule: 'needs {{.Task.Slot}} in the name of the volume, or a service of one replica' }]
      : [];
  });
}

function namesOf(spec: TaskSpec): readonly Template[] {
  if (spec.mounts.length === 0) return NONE;
  const known = namesBySpec.get(spec);
  if (known) return known;
  const names = spec.mounts.flatMap((mount) => (isPinned(mount) ? [parseTemplate(mount.source ?? '')] : []));
  namesBySpec.set(spec, names);
  return names;
}

/** What is another text for each task or node: such a name is that of a new volume each time. */
function differsByTask(field: string): boolean {
  return field.startsWith('.Node.') || field === '.Task.ID' || field === '.Task.Name';
}
