import { describe, expect, it } from 'vitest';
import { asId, type TaskId } from '../model/ids.ts';
import type { TaskState } from '../model/task-state.ts';
import { silentLogger } from '../runtime/logger.ts';
import { seededRandom } from '../runtime/random.ts';
import { SimulatedClock } from '../testing/simulated-clock.ts';
import { SessionError } from './dispatcher-port.ts';
import { WORKER_LIMITS } from './limits.ts';
import { StatusReporter } from './status-reporter.ts';

const id = (text: string) => asId<TaskId>(text);
const status = (state: TaskState) => ({ state, at: 0, message: state });

/** A reporter and a session that notes what it gets and acknowledges it, unless told otherwise. */
function begin(reportRows = 1_000) {
  const clock = new SimulatedClock();
  const limits = { ...WORKER_LIMITS, reportRows };
  const reporter = new StatusReporter({ clock, random: seededRandom(1), logger: silentLogger, limits });
  const batches: string[][] = [];
  const lost: unknown[] = [];
  const attach = (answer: () => Promise<void> = () => Promise.resolve()) =>
    reporter.attach(
      (reports) => {
        batches.push(reports.map((report) => `${report.id} ${report.status.state}`));
        return answer();
      },
      (error) => lost.push(error),
    );
  return { clock, reporter, batches, lost, attach };
}

describe('StatusReporter', () => {
  it('given statuses noted in one turn, when a session stands, then one report has the newest of each', async () => {
    const { clock, reporter, batches, attach } = begin();
    attach();
    for (const state of ['accepted', 'preparing', 'running'] as const) reporter.note(id('a'), status(state));
    reporter.note(id('b'), status('failed'));
    await clock.settle();
    expect(batches).toEqual([['a running', 'b failed']]);
  });

  it('given a new session, when it begins, then everything is reported again but what was forgotten', async () => {
    const { clock, reporter, batches, attach } = begin();
    reporter.note(id('a'), status('running'));
    reporter.note(id('b'), status('complete'));
    attach();
    await clock.settle();
    reporter.forget(id('b'));
    attach();
    await clock.settle();
    expect(batches).toEqual([['a running', 'b complete'], ['a running']]);
  });

  it('given a report that is not acknowledged, when its time is over, then the newest comes again', async () => {
    const { clock, reporter, batches, attach } = begin();
    let hangs = true;
    attach(() => (hangs ? new Promise(() => {}) : Promise.resolve()));
    reporter.note(id('a'), status('starting'));
    await clock.advance(5_000);
    hangs = false;
    reporter.note(id('a'), status('running'));
    await clock.advance(5_200);
    expect(batches).toEqual([['a starting'], ['a running']]);
    await expect(clock.run(reporter.drained())).resolves.toBeUndefined();
  });

  it('given more tasks than a report takes, when reported, then in several, one after the other', async () => {
    const { clock, reporter, batches, attach } = begin(2);
    for (const name of ['a', 'b', 'c', 'd', 'e']) reporter.note(id(name), status('running'));
    attach();
    await clock.settle();
    expect(batches.map((batch) => batch.length)).toEqual([2, 2, 1]);
  });

  it('given the session is no more, when a report learns it, then that is told once and the rest waits', async () => {
    const { clock, reporter, batches, lost, attach } = begin();
    attach(() => Promise.reject(new SessionError('session-invalid', 'gone')));
    reporter.note(id('a'), status('running'));
    await clock.advance(60_000);
    expect(batches).toHaveLength(1);
    expect(lost).toMatchObject([{ code: 'session-invalid' }]);
    reporter.note(id('b'), status('running'));
    attach();
    await clock.settle();
    expect(batches[1]).toEqual(['a running', 'b running']);
  });
});
