/** The engine's `ServiceSpec` as what a service should be. */

import type { Service, ServiceSpec, ServiceSpecInput } from '@skep/core';
import { Fields } from '../json/fields.ts';
import { millisOf } from '../json/time.ts';
import { clusterRefusal, Refusal } from '../server/refusal.ts';
import { keptUnless } from './kept.ts';
import { serviceSpecOut } from './service-spec-out.ts';
import { type Reading, taskFrom } from './task-template-in.ts';

type PortInput = NonNullable<ServiceSpecInput['ports']>[number];

/**
 * The spec that a client sent. For a service that is there, what the engine has no field for stays as it is.
 *
 * @throws Refusal
 */
export function serviceSpecFrom(body: Fields, reading: Reading, service?: Service): ServiceSpecInput {
  const template = body.fields('TaskTemplate');
  if (template === undefined) throw new Refusal(400, 'mismatched Runtime and *Spec fields');
  if (service === undefined) {
    const { update, rollback } = policiesFrom(body);
    return {
      ...plainFrom(body),
      task: taskFrom(template, reading, undefined),
      ...(update !== undefined && { update }),
      ...(rollback !== undefined && { rollback }),
    };
  }
  const { spec } = service;
  const written = new Fields(
    JSON.parse(JSON.stringify(serviceSpecOut(spec, { names: reading.names, withDefaults: false }))),
  );
  const before = policiesFrom(written);
  const now = policiesFrom(body);
  const update = keptUnless<ServiceSpecInput['update']>(now.update, before.update, spec.update);
  const rollback = keptUnless<ServiceSpecInput['rollback']>(now.rollback, before.rollback, spec.rollback);
  const ownTemplate = written.fields('TaskTemplate') ?? new Fields({});
  const { update: _, rollback: __, ports: ___, ...own } = spec;
  const { replicas, job, ports = [], ...plain } = plainFrom(body);
  const { replicas: ____, job: _____, ...rest } = own;
  return {
    ...rest,
    ...plain,
    ports: ports.map((port) => ({ ...port, ...proxyProtocolOf(port, spec.ports) })),
    ...(replicas !== undefined && { replicas }),
    ...(job !== undefined && { job }),
    task: taskFrom(template, reading, { task: spec.task, template: ownTemplate }),
    ...(update !== undefined && { update }),
    ...(rollback !== undefined && { rollback }),
  };
}

/** What the engine has no word for, and a port that stays keeps. */
function proxyProtocolOf(
  { target, protocol, mode }: PortInput,
  before: ServiceSpec['ports'],
): Pick<PortInput, 'proxyProtocol'> {
  const same = before.find(
    (port) => port.target === target && port.protocol === protocol && port.mode === mode,
  );
  return same?.proxyProtocol === undefined ? {} : { proxyProtocol: same.proxyProtocol };
}

/** All but the task and the policies. */
function plainFrom(body: Fields): Omit<ServiceSpecInput, 'task' | 'update' | 'rollback'> {
  const endpoint = body.fields('EndpointSpec');
  return {
    name: body.text('Name') ?? '',
    labels: { ...body.textMap('Labels') },
    ...modeFrom(body.fields('Mode')),
    endpointMode: endpoint?.word('Mode', ['vip', 'dnsrr'] as const) ?? 'vip',
    ports: (endpoint?.list('Ports') ?? []).map((port) => {
      const published = port.natural('PublishedPort') ?? 0;
      return {
        target: port.natural('TargetPort') ?? 0,
        ...(published !== 0 && { published }),
        protocol: port.word('Protocol', ['tcp', 'udp', 'sctp'] as const) ?? 'tcp',
        mode: port.word('PublishMode', ['ingress', 'host'] as const) ?? 'ingress',
      };
    }),
  };
}

function modeFrom(mode: Fields | undefined): Pick<ServiceSpecInput, 'mode' | 'replicas' | 'job'> {
  const given = ['Replicated', 'Global', 'ReplicatedJob', 'GlobalJob'].filter((name) => mode?.has(name));
  if (given.length > 1) throw new Refusal(400, 'must specify only one service mode');
  switch (given[0]) {
    case 'Global':
      return { mode: 'global' };
    case 'GlobalJob':
      return { mode: 'global-job' };
    case 'ReplicatedJob': {
      const job = mode?.fields('ReplicatedJob');
      const concurrency = job?.natural('MaxConcurrent') ?? 1;
      const completions = job?.natural('TotalCompletions') ?? concurrency;
      return { mode: 'replicated-job', job: { completions, ...(concurrency > 0 && { concurrency }) } };
    }
    default:
      return { mode: 'replicated', replicas: mode?.fields('Replicated')?.natural('Replicas') ?? 1 };
  }
}

function policiesFrom(body: Fields): Pick<ServiceSpecInput, 'update' | 'rollback'> {
  const update = policyFrom(body.fields('UpdateConfig'), ['pause', 'continue', 'rollback'] as const);
  const rollback = policyFrom(body.fields('RollbackConfig'), ['pause', 'continue'] as const);
  return { ...(update !== undefined && { update }), ...(rollback !== undefined && { rollback }) };
}

function policyFrom<Action extends string>(config: Fields | undefined, actions: readonly Action[]) {
  if (config === undefined) return undefined;
  const delay = config.natural('Delay') ?? 0;
  const monitor = config.natural('Monitor') ?? 0;
  const maxFailureRatio = config.number('MaxFailureRatio') ?? 0;
  if (maxFailureRatio < 0 || maxFailureRatio > 1) {
    throw clusterRefusal(
      'InvalidArgument',
      'TaskSpec: update-maxfailureratio cannot be less than 0 or bigger than 1',
    );
  }
  return {
    // Absent and 0 are the same to Go, and mean all at once.
    parallelism: config.natural('Parallelism') ?? 0,
    ...(delay > 0 && { delayMs: millisOf(delay) }),
    failureAction: config.word('FailureAction', actions) ?? actions[0],
    monitorMs: monitor === 0 ? 5_000 : millisOf(monitor),
    maxFailureRatio,
    order: config.word('Order', ['stop-first', 'start-first'] as const) ?? ('stop-first' as const),
  };
}
