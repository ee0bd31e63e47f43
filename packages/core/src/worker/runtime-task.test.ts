import { describe, expect, it } from 'vitest';
import type { Task } from '../model/objects.ts';
import { aCluster } from '../testing/state-builder.ts';
import type { AssignedFile } from './dispatcher-port.ts';
import { fileKey } from './file-key.ts';
import { toRuntimeTask } from './runtime-task.ts';

const node = { id: 'n1', hostname: 'bee', platform: { os: 'linux', architecture: 'x86_64' } };
const bytes = (text: string) => new TextEncoder().encode(text);

function aTask(spec: object): Task {
  const built = aCluster().withNode({ id: 'n1' }).withService({ name: 'web', task: spec });
  const task = built.withTasks('web', 1, { nodes: ['n1'], state: 'assigned' }).state.task('web-1' as never);
  if (!task) throw new Error('there is no task');
  return task;
}

function secret(name: string, text: string, template = false): AssignedFile {
  const key = fileKey('secret', name, 1);
  return { key, version: text, file: { kind: 'secret', name, data: bytes(text) }, template };
}

function told(spec: object, files: readonly AssignedFile[] = [], labels: Record<string, string> = {}) {
  const assigned = { task: aTask(spec), serviceName: 'web', serviceLabels: labels };
  return toRuntimeTask(assigned, { node, fileOf: (key) => files.find((file) => file.key === key) });
}

describe('what a driver is told of a task', () => {
  it('given templates in a spec, when told, then they are filled in for this task and node', () => {
    const { runtimeTask } = told(
      {
        env: { SLOT: '{{.Task.Slot}}', HOST: '{{.Node.Hostname}}', TIER: '{{index .Service.Labels "tier"}}' },
        hostname: '{{.Service.Name}}-{{.Task.Slot}}',
        mounts: [{ type: 'volume', source: 'data-{{.Task.Slot}}', target: '/data' }],
      },
      [],
      { tier: 'front' },
    );
    expect(runtimeTask.spec).toMatchObject({
      env: { SLOT: '1', HOST: 'bee', TIER: 'front' },
      hostname: 'web-1',
      mounts: [{ source: 'data-1', target: '/data' }],
    });
  });

  it('given a spec without templates, when told, then it is that very spec', () => {
    const task = aTask({ env: { A: 'b' } });
    const assigned = { task, serviceName: 'web' };
    expect(toRuntimeTask(assigned, { node, fileOf: () => undefined }).runtimeTask.spec).toBe(task.spec);
  });

  it('given a secret that is a template, when told, then it may look up variables and other files', () => {
    const url = 'db://{{env "USER"}}:{{secret "pw"}}@{{.Node.Hostname}}';
    const files = [secret('url', url, true), secret('password', 'hunter2')];
    const secrets = [{ name: 'url' }, { name: 'password', target: 'pw' }];
    const { runtimeTask, issues } = told({ env: { USER: 'me' }, secrets }, files);
    expect(issues).toEqual([]);
    expect(runtimeTask.files.map(({ data }) => new TextDecoder().decode(data))).toEqual([
      'db://me:hunter2@bee',
      'hunter2',
    ]);
  });

  it('given a template that looks up what is not there, when told, then that is an issue, not a crash', () => {
    const { issues } = told({ secrets: [{ name: 'url' }] }, [secret('url', '{{secret "pw"}}', true)]);
    expect(issues).toEqual(["secret url: no secret of this task has the target 'pw'"]);
  });

  it('given a file that nobody gave, when told, then it is named', () => {
    expect(told({ secrets: [{ name: 'url' }] }).issues).toEqual(['secret url is not available to this task']);
  });
});
