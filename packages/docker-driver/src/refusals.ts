/** Pure: what of a spec this driver can't or may not do, before anything is made. */

import type { SpecIssue, TaskSpec } from '@skep/core';
import type { DockerDriverOptions } from './options.ts';

/** Names of the signals that Linux knows; a stop signal may also be `SIGRTMIN+n`. */
const SIGNALS =
  /^SIG(ABRT|ALRM|BUS|CHLD|CLD|CONT|FPE|HUP|ILL|INT|IO|IOT|KILL|PIPE|POLL|PROF|PWR|QUIT|SEGV|STKFLT|STOP|SYS|TERM|TRAP|TSTP|TTIN|TTOU|UNUSED|URG|USR1|USR2|VTALRM|WINCH|XCPU|XFSZ|RTMIN(\+\d{1,2})?|RTMAX(-\d{1,2})?)$/;

/** What the owner of the driver lets specs have. */
export type Allowance = Pick<DockerDriverOptions, 'allowPrivileged' | 'allowDevices'> & {
  /** The engine is on this machine. */
  readonly isLocal: boolean;
};

/** The rules that a spec breaks. Empty when it can run. */
export function refusals(spec: TaskSpec, allowance: Allowance): readonly SpecIssue[] {
  return [
    ...imageIssues(spec),
    ...rightsIssues(spec, allowance),
    ...mountIssues(spec),
    ...fileIssues(spec, allowance),
    ...resourceIssues(spec),
  ];
}

function imageIssues({ image, stopSignal }: TaskSpec): SpecIssue[] {
  const issues: SpecIssue[] = [];
  if (image === undefined) issues.push({ field: 'image', rule: 'must name an image for the Docker driver' });
  if (stopSignal !== undefined && !SIGNALS.test(stopSignal)) {
    issues.push({ field: 'stopSignal', rule: `${stopSignal} is no signal of Linux` });
  }
  return issues;
}

function rightsIssues(
  spec: TaskSpec,
  { allowPrivileged = false, allowDevices = false }: Allowance,
): SpecIssue[] {
  const issues: SpecIssue[] = [];
  if (spec.privileged === true && !allowPrivileged) {
    issues.push({
      field: 'privileged',
      rule: "is not allowed here: the driver's owner has not set allowPrivileged",
    });
  }
  (spec.devices ?? []).forEach(({ source }, index) => {
    const isAllowed = typeof allowDevices === 'boolean' ? allowDevices : allowDevices.includes(source);
    if (isAllowed) return;
    issues.push({
      field: `devices[${index}].source`,
      rule: `${source} is not allowed here: the driver's owner has not named it in allowDevices`,
    });
  });
  return issues;
}

function mountIssues({ mounts }: TaskSpec): SpecIssue[] {
  return mounts.flatMap(({ type, source, target }, index) => [
    ...(target.startsWith('/')
      ? []
      : [{ field: `mounts[${index}].target`, rule: 'must be an absolute path' }]),
    ...(type === 'bind' && source !== undefined && !source.startsWith('/')
      ? [{ field: `mounts[${index}].source`, rule: 'must be an absolute path on the node' }]
      : []),
  ]);
}

function fileIssues({ secrets, configs }: TaskSpec, { isLocal }: Allowance): SpecIssue[] {
  if (isLocal) return [];
  const rule = 'need an engine on this machine: the files are handed over in its memory';
  return [
    ...(secrets.length > 0 ? [{ field: 'secrets', rule }] : []),
    ...(configs.length > 0 ? [{ field: 'configs', rule }] : []),
  ];
}

function resourceIssues({ resources }: TaskSpec): SpecIssue[] {
  const { limits, reservations } = resources;
  const issues: SpecIssue[] = [];
  if (limits.memoryBytes !== undefined && limits.memoryBytes < 6 * 2 ** 20) {
    issues.push({ field: 'resources.limits.memoryBytes', rule: 'must be at least 6 MiB for a container' });
  }
  if ((reservations.memoryBytes ?? 0) > (limits.memoryBytes ?? Number.POSITIVE_INFINITY)) {
    issues.push({ field: 'resources.reservations.memoryBytes', rule: 'must not be above the limit' });
  }
  return issues;
}
