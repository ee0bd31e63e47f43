/** From a task as the managers assign it to a task as a driver is told of it. */

import type { RuntimeTask, TaskFile } from '../driver/runtime-driver.ts';
import { taskName, taskPlace } from '../model/task-name.ts';
import type { TaskSpec } from '../model/task-spec.ts';
import {
  expandTemplate,
  type FileLookups,
  isTemplate,
  parseTemplate,
  type TemplateContext,
  TemplateError,
} from '../model/template.ts';
import type { AssignedFile, AssignedTask } from './dispatcher-port.ts';
import { fileKey } from './file-key.ts';

/** What a task is told with. */
interface RuntimeTaskParts {
  /** The node that it is on. */
  readonly node: TemplateContext['node'];
  readonly fileOf: (key: string) => AssignedFile | undefined;
}

/**
 * What the driver is told: templates filled in, and those files alone that the task's own spec refers to.
 *
 * @returns the task, and why it can't be run as it is: files that nobody gave, templates that look up what is not there.
 */
export function toRuntimeTask(
  assigned: AssignedTask,
  { node, fileOf }: RuntimeTaskParts,
): { readonly runtimeTask: RuntimeTask; readonly issues: readonly string[] } {
  const { task, serviceName } = assigned;
  const name = taskName(serviceName, task);
  const context: TemplateContext = {
    service: { id: task.serviceId, name: serviceName, labels: assigned.serviceLabels ?? {} },
    node,
    task: { id: task.id, name, slot: taskPlace(task) },
  };
  const spec = filledSpec(task.spec, context);
  const { files, issues } = filledFiles(spec, context, fileOf);
  return {
    issues,
    runtimeTask: {
      id: task.id,
      serviceId: task.serviceId,
      serviceName,
      name,
      slot: task.slot,
      spec,
      ports: task.ports,
      ...(task.attachments === undefined ? {} : { attachments: task.attachments }),
      assignedGeneric: task.assignedGeneric ?? {},
      files,
      ...(task.leaseMs === undefined ? {} : { leaseMs: task.leaseMs }),
    },
  };
}

/** The spec itself where it holds no template, which is the common case. */
function filledSpec(spec: TaskSpec, context: TemplateContext): TaskSpec {
  const { env, hostname, mounts } = spec;
  const texts = [
    ...Object.values(env),
    hostname,
    ...mounts.flatMap(({ source, target }) => [source, target]),
  ];
  if (!texts.some((text) => text !== undefined && isTemplate(text))) return spec;
  const fill = (text: string) => expandTemplate(parseTemplate(text), context);
  return {
    ...spec,
    env: Object.fromEntries(Object.entries(env).map(([variable, value]) => [variable, fill(value)])),
    ...(hostname === undefined ? {} : { hostname: fill(hostname) }),
    mounts: mounts.map((mount) => ({
      ...mount,
      target: fill(mount.target),
      ...(mount.source === undefined ? {} : { source: fill(mount.source) }),
    })),
  };
}

interface GivenFile extends TaskFile {
  readonly template: boolean;
}

function filledFiles(
  spec: TaskSpec,
  context: TemplateContext,
  fileOf: (key: string) => AssignedFile | undefined,
): { readonly files: readonly TaskFile[]; readonly issues: readonly string[] } {
  const given: GivenFile[] = [];
  const issues: string[] = [];
  const add = (kind: TaskFile['kind'], references: TaskSpec['secrets']) => {
    for (const { name, target, mode, revision } of references) {
      const found = fileOf(fileKey(kind, name, revision ?? 1));
      const { data } = found?.file ?? {};
      if (found && data) {
        given.push({ kind, name, target: target ?? name, mode, data, template: found.template === true });
      } else issues.push(`${kind} ${name} is not available to this task`);
    }
  };
  add('secret', spec.secrets);
  add('config', spec.configs);
  const lookups = lookupsOf(spec, given);
  const files = given.map(({ template, ...file }): TaskFile => {
    if (!template) return file;
    try {
      const text = expandTemplate(parseTemplate(utf8.decode(file.data), 'file'), context, lookups);
      return { ...file, data: new TextEncoder().encode(text) };
    } catch (error) {
      if (!(error instanceof TemplateError)) throw error;
      issues.push(`${file.kind} ${file.name}: ${error.message}`);
      return file;
    }
  });
  return { files, issues };
}

const utf8 = new TextDecoder();

/** What the files of a task may look up: its own variables, and the other files as they were given. */
function lookupsOf(spec: TaskSpec, given: readonly GivenFile[]): FileLookups {
  const fileLookup = (kind: TaskFile['kind']) => (target: string) => {
    const file = given.find((each) => each.kind === kind && each.target === target);
    if (!file) throw new TemplateError(`no ${kind} of this task has the target '${target}'`);
    return utf8.decode(file.data);
  };
  return {
    env: (name) => (Object.hasOwn(spec.env, name) ? (spec.env[name] ?? '') : ''),
    secret: fileLookup('secret'),
    config: fileLookup('config'),
  };
}
