/** A task as the engine's `Task`. */

import type { Task, TaskSpec } from '@skep/core';
import { filledList } from '../json/absent.ts';
import { timestamp } from '../json/time.ts';
import { attachmentsOut } from './attachment-out.ts';
import type { Written } from './container-spec-out.ts';
import { jobIterationOut } from './service-out.ts';
import { taskTemplateOut } from './task-template-out.ts';

/** Writes tasks out. Tasks of one service share their spec, which is written once. */
export class TaskWriter {
  readonly #written: Written;
  readonly #templates = new Map<TaskSpec, object>();

  constructor(written: Written) {
    this.#written = written;
  }

  /** The engine's `Task`. */
  write(task: Task) {
    const { id, version, createdAt, updatedAt, slot, jobIteration } = task;
    return {
      ID: id,
      Version: { Index: version },
      CreatedAt: timestamp(createdAt),
      UpdatedAt: timestamp(updatedAt),
      Labels: {},
      Spec: this.#template(task.spec),
      ServiceID: task.serviceId,
      Slot: slot === 0 ? undefined : slot,
      NodeID: task.nodeId,
      Status: statusOut(task),
      DesiredState: task.desiredState,
      NetworksAttachments: task.attachments && attachmentsOut(task.attachments, this.#written.names),
      GenericResources: filledList(genericOut(task)),
      JobIteration: jobIteration === undefined ? undefined : jobIterationOut(jobIteration),
      Volumes: null,
    };
  }

  #template(spec: TaskSpec): object {
    let template = this.#templates.get(spec);
    if (template === undefined) {
      template = taskTemplateOut(spec, this.#written);
      this.#templates.set(spec, template);
    }
    return template;
  }
}

function statusOut({ status, explanation, ports }: Task) {
  const { state, at, message, error, exitCode, runtime } = status;
  const hostPorts = ports.filter(({ mode }) => mode === 'host');
  const opened = runtime?.ports ?? [];
  return {
    Timestamp: timestamp(at),
    State: state,
    Message: message,
    Err: error ?? explanation?.message,
    ContainerStatus: runtime && {
      ContainerID: runtime.id,
      PID: pidOf(runtime.id),
      ExitCode: exitCode ?? 0,
    },
    PortStatus: {
      Ports: filledList(
        hostPorts.flatMap(({ target, protocol }) => {
          const port = opened.find((each) => each.target === target && each.protocol === protocol);
          if (port === undefined) return [];
          return [{ Protocol: protocol, TargetPort: target, PublishedPort: port.port, PublishMode: 'host' }];
        }),
      ),
    },
  };
}

const PROCESS = /^pid (\d+)$/;

function pidOf(runtimeId: string): number {
  return Number(PROCESS.exec(runtimeId)?.[1] ?? 0);
}

function genericOut({ assignedGeneric, spec }: Task): object[] {
  const named = Object.entries(assignedGeneric ?? {}).flatMap(([kind, values]) =>
    values.map((value) => ({ NamedResourceSpec: { Kind: kind, Value: value } })),
  );
  const counted = Object.entries(spec.resources.reservations.generic ?? {})
    .filter(([kind]) => assignedGeneric?.[kind] === undefined)
    .map(([kind, value]) => ({ DiscreteResourceSpec: { Kind: kind, Value: value } }));
  return [...named, ...counted];
}
