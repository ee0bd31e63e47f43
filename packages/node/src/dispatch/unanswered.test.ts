import type { TaskId } from '@skep/core';
import type { SessionId, WorkerCalls } from '@skep/core/member';
import { expect, it } from 'vitest';
import { NodeError } from '../errors.ts';
import type { ManagerLink } from '../rpc/manager-link.ts';
import { codeOf } from '../test-support/test-cluster.ts';
import { AgentCalls } from './agent-calls.ts';
import { answerOne } from './call-answers.ts';
import { Mailbox } from './mailbox.ts';
import type { ToAgent } from './methods.ts';

const task = 'task' as TaskId;

it('given an agent that can not open a stream to answer, when it is asked, then it says so in its session', async () => {
  const link = { duplex: () => Promise.reject(new NodeError('UNREACHABLE', 'no manager answers')) };
  const told: unknown[] = [];
  await answerOne(link as unknown as ManagerLink, {} as WorkerCalls, {
    ...{ session: 'session' as SessionId, call: 7, ask: { kind: 'stats', task } },
    signal: new AbortController().signal,
    onUnanswered: (error) => told.push(error),
  });
  expect(told).toMatchObject([{ code: 'UNREACHABLE' }]);
});

it('given a manager that asked, when the agent can not answer, then who asked is told, and does not wait for ever', async () => {
  const toAgent = new Mailbox<ToAgent>();
  const calls = new AgentCalls(toAgent);
  const asking = calls.stats(task, new AbortController().signal);
  for await (const said of toAgent) {
    if (said.kind === 'call') calls.failed(said.call, new NodeError('UNREACHABLE', 'no manager answers'));
    break;
  }
  expect(await codeOf(asking)).toBe('UNREACHABLE');
});
