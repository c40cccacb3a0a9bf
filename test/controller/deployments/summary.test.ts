import { expect } from 'chai';
import { summarizeRows, type DeploymentSummary } from '../../../controller/deployments/summary.js';
import type { StoredEvent } from '../../../controller/deployments/ledger/report.js';
import type { RunRow } from '../../../controller/deployments/ledger/run.js';
import { reason } from '../../../controller/deployments/reason.js';
import { Outcome, type RunEvent } from '../../../proto/gen/fraisier/v1/agent.js';
import { Step } from '../../../proto/gen/fraisier/v1/plan.js';
import { aDeployment, aRun, at, PREVIOUS } from '../../support/builders.js';

const steps = aDeployment().plan?.phases[0]?.steps ?? [];
const RED = reason('command_failed', 'npm exited with 1');

describe('the summary of a deployment', () => {
  it('shows every host of the plan, also those nothing happened on yet', () => {
    const { hosts } = summarizeRows(aDeployment(), [], []);
    expect(hosts.map(({ host, phase, status, steps: none }) => [host, phase, status, none])).to.deep.equal([
      ['web-1', null, null, []],
      ['web-2', null, null, []],
    ]);
  });

  it('takes the hosts from the runs where there is no plan', () => {
    expect(
      summarizeRows(aDeployment({ plan: null }), [aRun('web-3', 'prepare', 'pending')], []).hosts[0]?.host,
    ).to.equal('web-3');
  });

  it('says of a host that somebody left out who did', () => {
    const runs = ['web-1', 'web-2'].map((host) => aRun(host, 'release', 'failed', { reason: RED }));
    const answers = [
      { host: 'web-1', act: 'skip' as const, by: 'ana', wasAway: false },
      { host: 'web-2', act: 'retry' as const, by: 'ana', wasAway: false },
    ];
    const { hosts } = summarizeRows(aDeployment({ answers }), runs, []);
    expect(hosts.map((host) => host.reason?.message)).to.deep.equal(['ana left it out', RED.message]);
  });

  it('shows steps as their events say', () => {
    const run = aRun('web-1', 'prepare', 'running', { steps });
    const shown = fold(run, [
      started('preflight', 1),
      finished('preflight', Outcome.SUCCEEDED),
      started('fetch', 2),
    ]);
    expect(shown).to.deep.equal([
      'preflight succeeded 1',
      'fetch running 2',
      'stage pending 0',
      'install pending 0',
    ]);
  });

  it('leaves nothing pending or running in a run that is over', () => {
    const run = aRun('web-1', 'prepare', 'lost', { steps, reason: RED });
    expect(fold(run, [started('preflight', 1)])).to.deep.equal([
      'preflight interrupted 1',
      'fetch skipped 0',
      'stage skipped 0',
      'install skipped 0',
    ]);
  });

  it('knows every outcome of a step, and calls what it does not know interrupted', () => {
    const outcomes = [
      Outcome.FAILED,
      Outcome.CANCELLED,
      Outcome.INTERRUPTED,
      Outcome.UNSPECIFIED,
      Outcome.UNRECOGNIZED,
    ];
    const words = outcomes.map(
      (outcome) => fold(aRun('web-1', 'prepare', 'running', { steps }), [finished('fetch', outcome)])[1],
    );
    expect(words.map((word) => word?.split(' ')[1])).to.deep.equal([
      'failed',
      'cancelled',
      'interrupted',
      'interrupted',
      'interrupted',
    ]);
  });

  it('shows in a run that succeeded which step failed and was allowed to', () => {
    const named = ['hook', 'restart'].map((name) => Step.fromPartial({ name }));
    const run = aRun('web-1', 'release', 'succeeded', { steps: named });
    const lines = fold(run, [
      started('hook', 1),
      finished('hook', Outcome.FAILED),
      started('restart', 1),
      finished('restart', Outcome.SUCCEEDED),
    ]);
    expect(lines).to.deep.equal(['hook failed 1', 'restart succeeded 1']);
    expect(summary(run, []).hosts[0]).to.include({ status: 'succeeded', reason: null });
  });

  it('shows as skipped what a run did not come to because all was settled', () => {
    const run = aRun('web-1', 'prepare', 'succeeded', { steps });
    expect(fold(run, [started('preflight', 1), finished('preflight', Outcome.SUCCEEDED)])).to.deep.equal([
      'preflight succeeded 1',
      'fetch skipped 0',
      'stage skipped 0',
      'install skipped 0',
    ]);
  });

  it('says what was live before and what is live now', () => {
    const runs = [
      aRun('web-1', 'prepare', 'succeeded', { liveRelease: PREVIOUS }),
      aRun('web-1', 'release', 'failed', { liveRelease: 'new' }),
      aRun('web-1', 'undo', 'succeeded', { liveRelease: '' }),
    ];
    const [host] = summarizeRows(aDeployment(), runs, []).hosts;
    expect([host?.oldVersion, host?.newVersion, host?.phase]).to.deep.equal([PREVIOUS, null, 'undo']);
  });

  it('shows what a host reported after its run was given up', () => {
    const late = (run: RunRow, outcome: Outcome, liveRelease: string) =>
      summary(run, [ended(outcome, liveRelease)]).hosts[0]?.lateReports;
    const lost = aRun('web-1', 'release', 'lost');
    expect(late(lost, Outcome.SUCCEEDED, 'abc')).to.deep.equal([
      'release was recorded lost; the host reported later that it succeeded, with abc live',
    ]);
    expect(late(lost, Outcome.FAILED, '')?.[0]).to.contain('with nothing live');
    expect(late(aRun('web-1', 'release', 'interrupted'), Outcome.INTERRUPTED, '')).to.deep.equal([]);
    expect(late(aRun('web-1', 'release', 'succeeded'), Outcome.SUCCEEDED, 'abc')).to.deep.equal([]);
    expect(summary(lost, []).hosts[0]?.lateReports).to.deep.equal([]);
  });
});

type Body = NonNullable<RunEvent['event']>;

function summary(run: RunRow, bodies: readonly Body[]): DeploymentSummary {
  const events: StoredEvent[] = bodies.map((event, index) => ({
    number: index + 1,
    runId: run.id,
    host: run.host,
    phase: run.phase,
    event: { runId: run.id, seq: index + 1, at: at(index), event },
  }));
  return summarizeRows(aDeployment(), [run], events);
}

function fold(run: RunRow, bodies: readonly Body[]): string[] {
  return (
    summary(run, bodies).hosts[0]?.steps.map((step) => `${step.name} ${step.status} ${step.attempts}`) ?? []
  );
}

function started(step: string, attempt: number): Body {
  return { $case: 'stepStarted', value: { step, attempt, bootId: '' } };
}

function finished(step: string, outcome: Outcome): Body {
  const value = {
    step,
    attempt: 1,
    outcome,
    reason: undefined,
    durationMs: 5,
    result: undefined,
    logBytes: 0,
    logTruncated: false,
  };
  return { $case: 'stepFinished', value };
}

function ended(outcome: Outcome, liveRelease: string): Body {
  return { $case: 'runFinished', value: { outcome, reason: undefined, liveRelease, origin: '' } };
}
