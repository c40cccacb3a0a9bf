import { expect } from 'chai';
import { foldEvent, type Folded } from '../../../controller/deployments/fold-event.js';
import { Outcome, RunEvent } from '../../../proto/gen/fraisier/v1/agent.js';
import { stepOf } from '../../../controller/recipes/step-of.js';
import { Moment, StepResult } from '../../../proto/gen/fraisier/v1/plan.js';
import { aDeployment, aRun, aState, at } from '../../support/builders.js';

const steps = aDeployment().plan?.phases[0]?.steps ?? [];
const running = aRun('web-1', 'prepare', 'running', { steps });
type Body = NonNullable<RunEvent['event']>;

describe('folding an event into its run', () => {
  it('starts a dispatched run, and only that', () => {
    const started: Body = { $case: 'runStarted', value: { bootId: 'b' } };
    expect(legal(fold(started, aRun('web-1', 'prepare', 'dispatched'))).to).to.equal('running');
    expect(fold(started, running)).to.have.property('illegal');
  });

  it('remembers the step in hand with its limit', () => {
    const folded = legal(fold({ $case: 'stepStarted', value: { step: 'install', attempt: 1, bootId: 'b' } }));
    expect(folded.change.currentStep).to.deep.equal({
      name: 'install',
      startedAt: at(9),
      timeoutMs: 300_000,
    });
  });

  it('keeps what preflight and the migration tool measured', () => {
    const result = StepResult.fromPartial({ previousRelease: 'a', previousProvenGood: true });
    expect(legal(fold(finished('preflight', result))).change).to.include({
      previousRelease: 'a',
      previousProvenGood: true,
    });
    const migration = aState('r1', ['r2']);
    const measured = legal(fold(finished('install', StepResult.fromPartial({ migration }))));
    expect(measured.change).to.deep.include({ migration });
    expect(measured.change).not.to.have.property('previousRelease');
  });

  it('forgets what was measured when a migration begins, and then counts only what is measured behind it', () => {
    const look = stepOf('look', 1, { $case: 'migrationStatus', value: {} });
    const change = stepOf('change', 1, { $case: 'migrate', value: {} });
    const found = aState('r2', []);
    const before = aRun('web-1', 'migrate', 'running', {
      steps: [look, change, { ...look, name: 'look_again' }],
    });
    const looked = fold(finished('look_again', StepResult.fromPartial({ migration: found })), before);
    expect(legal(looked).change).not.to.have.property('migration');
    const begun = legal(
      fold({ $case: 'stepStarted', value: { step: 'change', attempt: 1, bootId: 'b' } }, before),
    );
    expect(begun.change.migration).to.deep.equal(aState('', [], { moment: Moment.BEGUN }));
    const behind = fold(finished('look_again', StepResult.fromPartial({ migration: found })), {
      ...before,
      ...begun.row,
    });
    expect(legal(behind).change.migration).to.deep.equal({ ...found, moment: Moment.AFTER });
  });

  it('learns nothing from a step that failed or said nothing', () => {
    expect(legal(fold(finished('preflight', undefined))).change).not.to.have.property('previousRelease');
    const failed = fold(finished('preflight', StepResult.fromPartial({}), Outcome.FAILED));
    expect(legal(failed).change).not.to.have.property('previousRelease');
  });

  it('counts a note and changes nothing else', () => {
    const note: Body = {
      $case: 'stepNote',
      value: { step: 'install', attempt: 1, code: 'x', message: '', facts: {} },
    };
    expect(legal(fold(note)).change).to.deep.equal({ lastSeq: 7 });
  });

  it('ends the run as the agent says', () => {
    const cases = [
      [Outcome.SUCCEEDED, 'succeeded'],
      [Outcome.FAILED, 'failed'],
      [Outcome.CANCELLED, 'cancelled'],
      [Outcome.INTERRUPTED, 'interrupted'],
    ] as const;
    for (const [outcome, status] of cases) {
      const folded = legal(
        fold({ $case: 'runFinished', value: { outcome, reason: undefined, liveRelease: 'a', origin: '' } }),
      );
      expect([folded.to, folded.live, folded.change.finished]).to.deep.equal([
        status,
        { release: 'a', origin: '' },
        true,
      ]);
    }
  });

  it('refuses what an honest agent does not send', () => {
    const unknown: Body[] = [
      { $case: 'stepStarted', value: { step: 'nonsense', attempt: 1, bootId: '' } },
      { $case: 'stepNote', value: { step: 'nonsense', attempt: 1, code: '', message: '', facts: {} } },
      finished('nonsense', undefined),
      {
        $case: 'runFinished',
        value: { outcome: Outcome.UNSPECIFIED, reason: undefined, liveRelease: '', origin: '' },
      },
    ];
    for (const body of unknown) expect(fold(body), body.$case).to.have.property('illegal');
    expect(
      fold(finished('install', undefined), aRun('web-1', 'prepare', 'dispatched', { steps })),
    ).to.have.property('illegal');
    expect(foldEvent(running, RunEvent.fromPartial({ runId: running.id, seq: 7 }), at(9))).to.have.property(
      'illegal',
    );
  });
});

function fold(event: Body, run = running): Folded {
  return foldEvent(run, { runId: run.id, seq: 7, at: at(8), event }, at(9));
}

function legal(folded: Folded): Exclude<Folded, { illegal: string }> {
  if ('illegal' in folded) throw new Error(folded.illegal);
  return folded;
}

function finished(step: string, result: StepResult | undefined, outcome: Outcome = Outcome.SUCCEEDED): Body {
  return {
    $case: 'stepFinished',
    value: {
      step,
      attempt: 1,
      outcome,
      reason: undefined,
      durationMs: 5,
      result,
      logBytes: 0,
      logTruncated: false,
    },
  };
}
