import { expect } from 'chai';
import { decide, type Decision, type Situation } from '../../../controller/deployments/decide.js';
import type { DeploymentRow } from '../../../controller/deployments/ledger/deployment.js';
import type { RunRow } from '../../../controller/deployments/ledger/run.js';
import { makePlan } from '../../../controller/deployments/plan.js';
import { reason } from '../../../controller/deployments/reason.js';
import {
  MigrationState,
  Moment,
  Rollback,
  type DeploymentPlan,
} from '../../../proto/gen/fraisier/v1/plan.js';
import {
  aDatabase,
  aDeployment,
  anEnvironment,
  aRun,
  at,
  COMMIT,
  NOON,
  PREVIOUS,
} from '../../support/builders.js';

const HERE = ['web-1', 'web-2'].map((name) => ({ name, leaseExpiresAt: at(3600), validUntil: at(3600) }));
const RED = reason('health_check_failed', 'GET /health answered 500');
const CANCELLED = reason('cancelled', 'cancelled by ana');
const MIGRATING = anEnvironment({ database: aDatabase });
const GOING_DOWN = Rollback.fromPartial({
  from: PREVIOUS,
  applied: ['m2'],
  before: { revision: 'm1', pending: ['m2'] },
  after: { revision: 'm2' },
});
const CODE_ONLY = Rollback.fromPartial({ from: PREVIOUS, codeOnly: true });

describe('deciding on hosts that have nothing to do', () => {
  const settled = { settled: true };

  it('ends unchanged at once when every host says so', () => {
    const runs = [
      aRun('web-1', 'prepare', 'succeeded', settled),
      aRun('web-2', 'prepare', 'succeeded', settled),
    ];
    const { move, start } = given(runs);
    expect([move?.to, move?.reason?.code, start]).to.deep.equal(['unchanged', 'already_live', undefined]);
    expect(move?.reason?.hint).to.contain('--force');
  });

  it('waits for the last of them before it says anything', () => {
    const runs = [aRun('web-1', 'prepare', 'succeeded', settled), aRun('web-2', 'prepare', 'running')];
    expect(given(runs).move).to.equal(undefined);
  });

  it('releases and prunes the others alone', () => {
    const runs = [aRun('web-1', 'prepare', 'succeeded', settled), aRun('web-2', 'prepare', 'succeeded')];
    expect(starts(given(runs))).to.deep.equal(['release web-2 1']);
    const released = [...runs, aRun('web-2', 'release', 'succeeded')];
    expect(starts(given(released))).to.deep.equal(['prune web-2 1']);
    const pruned = [...released, aRun('web-2', 'prune', 'succeeded')];
    expect(given(pruned).move).to.deep.equal({ to: 'succeeded', reason: null });
    expect(given(pruned, {}, at(9999)).move?.to, 'the limit is for what has to be done').to.equal(
      'succeeded',
    );
  });

  it('undoes the others alone when one of them fails', () => {
    const runs = [
      aRun('web-1', 'prepare', 'succeeded', settled),
      aRun('web-2', 'prepare', 'succeeded'),
      aRun('web-2', 'release', 'failed', { reason: RED }),
    ];
    expect(given(runs).move?.to).to.equal('rolling_back');
    expect(starts(given(runs, { status: 'rolling_back', reason: RED }))).to.deep.equal(['undo web-2 1']);
  });

  it('lets the host that migrates prepare once more, whole, so that the database is measured', () => {
    const more = { environmentConfig: MIGRATING };
    const first = aRun('web-1', 'prepare', 'succeeded', settled);
    const other = aRun('web-2', 'prepare', 'succeeded');
    expect(starts(given([first, other], more))).to.deep.equal(['prepare web-1 2']);
    const again = aRun('web-1', 'prepare', 'running', { attempt: 2 });
    expect(given([first, other, again], more).start).to.equal(undefined);
    const pending = MigrationState.fromPartial({ pending: ['m1'] });
    const measured = aRun('web-1', 'prepare', 'succeeded', { attempt: 2, migration: pending });
    expect(starts(given([first, other, measured], more))).to.deep.equal(['migrate web-1 1']);
    const migrated = [first, other, measured, aRun('web-1', 'migrate', 'succeeded')];
    expect(starts(given(migrated, more))).to.deep.equal(['release web-2 1']);
  });
});

describe('deciding on a rollback', () => {
  it('prepares, releases batch by batch, takes the database down and prunes', () => {
    expect(starts(back([]))).to.deep.equal(['prepare web-1 1', 'prepare web-2 1']);
    expect(starts(back(prepared()))).to.deep.equal(['release web-1 1']);
    expect(starts(back([...prepared(), aRun('web-1', 'release', 'succeeded')]))).to.deep.equal([
      'release web-2 1',
    ]);
    expect(starts(back(released()))).to.deep.equal(['migrate_down web-1 1']);
    expect(back([...released(), aRun('web-1', 'migrate_down', 'running')]).wait?.reason?.message).to.equal(
      'migrate_down on web-1 is running',
    );
    const down = [...released(), aRun('web-1', 'migrate_down', 'succeeded')];
    expect(starts(back(down))).to.deep.equal(['prune web-1 1', 'prune web-2 1']);
    const pruned = [...down, aRun('web-1', 'prune', 'succeeded'), aRun('web-2', 'prune', 'succeeded')];
    expect(back(pruned).move).to.deep.equal({ to: 'succeeded', reason: null });
  });

  it('leaves the database alone when nothing was applied since, or when told to', () => {
    expect(starts(back(released(), { rollback: CODE_ONLY }))).to.deep.equal([
      'prune web-1 1',
      'prune web-2 1',
    ]);
  });

  it('stops where it is when a release fails, says what is live where, and is never undone', () => {
    const failed = [
      ...prepared({ previousRelease: COMMIT }),
      aRun('web-1', 'release', 'failed', { reason: RED, liveRelease: PREVIOUS }),
    ];
    const { move, start } = back(failed);
    expect([move?.to, start]).to.deep.equal(['failed', undefined]);
    expect(move?.reason?.code).to.equal('health_check_failed');
    expect(move?.reason?.message).to.match(
      /the rollback stopped there and is not undone: web-1 has aaaaaaaaaaaa, web-2 has .* live; the database was not touched/,
    );
    expect(move?.reason?.hint).to.equal('fraisier status checkout production');
  });

  it('says what is live also where nothing is, or where nothing is known', () => {
    const failed = [
      aRun('web-1', 'prepare', 'succeeded', { previousRelease: '' }),
      aRun('web-1', 'release', 'failed', { reason: RED, liveRelease: '' }),
      aRun('web-2', 'prepare', 'succeeded', { previousRelease: null }),
    ];
    expect(back(failed).move?.reason?.message).to.contain(
      'web-1 has nothing, web-2 has something unknown live',
    );
  });

  it('pauses instead when the configuration says so, and goes on by continue', () => {
    const failed = [...prepared(), aRun('web-1', 'release', 'failed', { reason: RED })];
    const pausing = { plan: { ...planned(GOING_DOWN), onFailure: 'pause' } };
    expect(back(failed, pausing).move).to.deep.include({ to: 'paused' });
    const going = back(failed, { ...pausing, status: 'paused', continueRequestedBy: 'ana' });
    expect([going.move?.to, ...starts(going)]).to.deep.equal(['running']);
    expect(starts(back(failed, { ...pausing, continuedAt: at(50) }))).to.deep.equal(['release web-1 2']);
  });

  it('fails before anything is touched as every deployment does', () => {
    const failed = [
      aRun('web-1', 'prepare', 'failed', { reason: RED }),
      aRun('web-2', 'prepare', 'succeeded'),
    ];
    expect(back(failed).move).to.deep.include({ to: 'failed' });
  });

  it('fails with the hosts back when the database does not go down', () => {
    const failed = [...released(), aRun('web-1', 'migrate_down', 'failed', { reason: RED })];
    const { move } = back(failed);
    expect([move?.to, move?.reason?.code]).to.deep.equal(['failed', 'migration_not_undone']);
    expect(move?.reason?.message).to.match(
      /the hosts are back, the database is not: .*the way down of the database failed/,
    );
  });

  it('pauses when it is not known whether the database went down; continue runs it again, cancel ends it', () => {
    const unknown = [...released(), aRun('web-1', 'migrate_down', 'interrupted')];
    const { move } = back(unknown);
    expect([move?.to, move?.reason?.code]).to.deep.equal(['paused', 'outcome_unknown']);
    expect(move?.reason?.message).to.contain('whether the migration was undone');
    const paused = { status: 'paused' as const, reason: move?.reason ?? null };
    const going = back(unknown, { ...paused, continueRequestedBy: 'ana' });
    expect([going.move?.to, ...starts(going)]).to.deep.equal(['running']);
    expect(starts(back(unknown, { continuedAt: at(50) }))).to.deep.equal(['migrate_down web-1 2']);
    const cancelled = back(unknown, { ...paused, cancelRequestedBy: 'ana' });
    expect(cancelled.move?.to).to.equal('cancelled');
    expect(cancelled.move?.reason?.message).to.contain('the way down of the database interrupted');
  });

  it('does not wait for ever for a way down that was never sent: the limit counts until it has succeeded', () => {
    const waiting = aRun('web-1', 'migrate_down', 'pending');
    expect(back([...released(), waiting], {}, at(599)).wait?.reason?.code).to.equal('waiting_for_host');
    const late = back([...released(), waiting], {}, at(600));
    expect(late.drop?.map(({ run, to }) => [run.id, to])).to.deep.equal([[waiting.id, 'cancelled']]);
    expect(late.move?.reason?.code).to.equal('deployment_timed_out');
    const dropped = [...released(), aRun('web-1', 'migrate_down', 'cancelled', { dispatchedAt: null })];
    const { move } = back(dropped, { reason: late.move?.reason ?? null }, at(601));
    expect([move?.to, move?.reason?.code]).to.deep.equal(['failed', 'deployment_timed_out']);
    expect(move?.reason?.message).to.contain('not done within its limit of 600 s');
    expect(move?.reason?.message).to.contain('the database was not touched');
    const down = [...released(), aRun('web-1', 'migrate_down', 'succeeded')];
    expect(starts(back(down, {}, at(601)))).to.deep.equal(['prune web-1 1', 'prune web-2 1']);
  });

  it('pauses also when the way down was stopped after it had begun, in whichever attempt', () => {
    const begun = MigrationState.fromPartial({ moment: Moment.BEGUN });
    const stopped = (more: Partial<RunRow>) =>
      back([...released(), aRun('web-1', 'migrate_down', 'cancelled', more)], { reason: CANCELLED }).move;
    expect(stopped({ migration: begun })?.reason?.code).to.equal('outcome_unknown');
    expect(stopped({ migration: begun })?.to).to.equal('paused');
    expect(stopped({ attempt: 2 })?.to).to.equal('paused');
    expect(stopped({})?.to).to.equal('cancelled');
  });

  it('says of hosts that were left out that they are as they were, however it ends', () => {
    const skipping = {
      rollback: Rollback.fromPartial({ from: PREVIOUS, codeOnly: true, skipped: ['web-3'] }),
    };
    const done = (prune: RunRow['status']) =>
      back([...released(), aRun('web-1', 'prune', prune), aRun('web-2', 'prune', 'succeeded')], skipping)
        .move;
    expect(done('succeeded')?.reason).to.deep.include({
      code: 'agent_away',
      message: 'back on web-1, web-2; left as they were, because they did not answer: web-3',
      facts: { skipped: 'web-3' },
    });
    expect(done('failed')?.reason).to.include({ code: 'prune_failed' });
    expect(done('failed')?.reason?.message)
      .to.contain('were not removed')
      .and.contain('did not answer: web-3');
    const failed = [...prepared(), aRun('web-1', 'release', 'failed', { reason: RED })];
    expect(back(failed, skipping).move?.reason?.message).to.contain('did not answer: web-3');
  });

  it('says that the database is down when the way down was stopped too late', () => {
    const down = [...released(), aRun('web-1', 'migrate_down', 'succeeded')];
    const reasonOf = { reason: reason('deployment_timed_out', 'not done within its limit of 600 s') };
    const { move } = back(down, reasonOf, at(601));
    expect([move?.to, move?.reason?.code]).to.deep.equal(['failed', 'deployment_timed_out']);
    expect(move?.reason?.message).to.contain('the way down of the database succeeded');
  });

  it('ends cancelled where it is, once a host was touched', () => {
    const half = [...prepared(), aRun('web-1', 'release', 'succeeded', { liveRelease: PREVIOUS })];
    const { move } = back(half, { cancelRequestedBy: 'ana' });
    expect([move?.to, move?.reason?.code]).to.deep.equal(['cancelled', 'cancelled']);
    expect(back([], { cancelRequestedBy: 'ana' }).move?.to).to.equal('cancelled');
  });
});

function planned(rollback: Rollback): DeploymentPlan {
  const input = { environment: MIGRATING, commit: COMMIT, ref: '', hosts: ['web-1', 'web-2'], madeAt: NOON };
  return makePlan({ ...input, rollback });
}

function back(runs: readonly RunRow[], more: Partial<DeploymentRow> = {}, now = at(60)): Decision {
  const rollback = more.rollback ?? GOING_DOWN;
  return given(runs, { kind: 'rollback', plan: planned(rollback), ...more }, now);
}

function given(
  runs: readonly RunRow[],
  more: Parameters<typeof aDeployment>[0] = {},
  now = at(60),
): Decision {
  const situation: Situation = { deployment: aDeployment(more), runs, hosts: HERE, now };
  const first = decide(situation);
  expect(decide(situation), 'the same situation gives the same decision').to.deep.equal(first);
  return first;
}

function starts(decision: Decision): string[] {
  return (decision.start ?? []).map(({ phase, host, attempt }) => `${phase} ${host} ${attempt}`);
}

function prepared(more: Partial<RunRow> = {}): RunRow[] {
  return [aRun('web-1', 'prepare', 'succeeded', more), aRun('web-2', 'prepare', 'succeeded', more)];
}

function released(): RunRow[] {
  return [...prepared(), aRun('web-1', 'release', 'succeeded'), aRun('web-2', 'release', 'succeeded')];
}
