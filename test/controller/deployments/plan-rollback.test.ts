import { expect } from 'chai';
import {
  appliedSince,
  lastMeasured,
  type PastDeployment,
} from '../../../controller/deployments/applied-since.js';
import { planRollback, type Past } from '../../../controller/deployments/plan-rollback.js';
import { latestRuns } from '../../../controller/deployments/runs-of-deployment.js';
import { stepsOfRun } from '../../../controller/deployments/steps-of-run.js';
import { makePlan } from '../../../controller/deployments/plan.js';
import type { DeploymentRow } from '../../../controller/deployments/ledger/deployment.js';
import type { RunRow } from '../../../controller/deployments/ledger/run.js';
import { FraisierError } from '../../../proto/error-codes.js';
import type { Reason } from '../../../proto/gen/fraisier/v1/plan.js';
import { Inspection } from '../../../proto/gen/fraisier/v1/agent.js';
import { MigrationState, Moment, Rollback } from '../../../proto/gen/fraisier/v1/plan.js';
import { aDatabase, aDeployment, anEnvironment, aRun, NOON } from '../../support/builders.js';

const [A, B, C] = ['a', 'b', 'c'].map((letter) => letter.repeat(40)) as [string, string, string];
const MIGRATING = anEnvironment({ database: aDatabase });

describe('what was applied since', () => {
  it('is what each deployment applied by the tool’s own words, oldest first', () => {
    expect(ids([applies(B, ['m2', 'm3']), applies(C, ['m4'])])).to.deep.equal(['m2', 'm3', 'm4']);
  });

  it('is nothing of a deployment that migrated nothing, failed before it, or undid itself', () => {
    const undone = { ...applies(C, ['m4']) };
    const runs = [...undone.runs, aRun('web-1', 'migrate_down', 'succeeded')];
    const began = aRun('web-1', 'migrate', 'failed');
    expect(ids([past(B, []), { ...undone, runs }, past(C, [began]), applies(C, [])])).to.deep.equal([]);
  });

  it('is without what a rollback took down, and with what one left', () => {
    const took = rollback(A, ['m3', 'm2'], [aRun('web-1', 'migrate_down', 'succeeded')]);
    expect(ids([applies(B, ['m2', 'm3']), took, applies(C, ['m4'])])).to.deep.equal(['m4']);
    expect(ids([applies(B, ['m2', 'm3']), rollback(A, [], [])])).to.deep.equal(['m2', 'm3']);
  });

  it('is not known when a way down, or what was applied, is not', () => {
    const down = (status: RunRow['status']) => aRun('web-1', 'migrate_down', status);
    const half = { ...applies(B, ['m2']) };
    expect(unknown([{ ...half, runs: [...half.runs, down('failed')] }])).to.contain(
      'its way down ended failed',
    );
    expect(unknown([applies(B, ['m2']), rollback(A, ['m2'], [down('lost')])])).to.contain(
      'its way down ended lost',
    );
    const begun = MigrationState.fromPartial({ moment: Moment.BEGUN });
    const lost = aRun('web-1', 'migrate', 'lost', { migration: begun });
    expect(unknown([past(B, [aRun('web-1', 'prepare', 'succeeded'), lost])])).to.contain('was not measured');
  });

  it('is known after a way down that was stopped before it began, not after one that had begun', () => {
    const begun = MigrationState.fromPartial({ moment: Moment.BEGUN });
    const stopped = (more: Partial<RunRow>) => {
      const down = aRun('web-1', 'migrate_down', 'cancelled', more);
      return [applies(B, ['m2']), rollback(A, ['m2'], [down])];
    };
    expect(ids(stopped({}))).to.deep.equal(['m2']);
    expect(unknown(stopped({ migration: begun }))).to.contain('its way down ended cancelled');
    expect(unknown(stopped({ attempt: 2 }))).to.contain('its way down ended cancelled');
  });

  it('remembers how a release last told the database, leaving out what means nothing', () => {
    const state = MigrationState.fromPartial({ revision: 'm2', pending: ['m9'] });
    const begun = MigrationState.fromPartial({ moment: Moment.BEGUN });
    const runs = [
      aRun('web-1', 'prepare', 'succeeded', { migration: state }),
      aRun('web-1', 'migrate', 'lost', { migration: begun }),
      aRun('web-1', 'release', 'succeeded'),
    ];
    expect(lastMeasured([past(B, runs)], B)).to.deep.equal(state);
    expect(lastMeasured([past(B, runs)], C)).to.equal(null);
    expect(lastMeasured([rollback(B, [], runs)], B)).to.equal(null);
  });
});

describe('planning a rollback', () => {
  it('goes from what is live, and down by what was applied, newest first, between states seen from that tree', () => {
    const plan = planned({ since: [applies(A, ['m1']), applies(B, ['m2', 'm3']), applies(C, ['m4'])] });
    expect(plan.from).to.equal(C);
    expect(plan.applied).to.deep.equal(['m4', 'm3', 'm2']);
    expect(plan.after).to.deep.include({ revision: 'm4', pending: [] });
    expect(plan.before).to.deep.include({ revision: 'm1', pending: ['m2', 'm3', 'm4'] });
  });

  it('takes the tree that applied the newest where what is live is older', () => {
    const since = [applies(A, ['m1']), past(C, []), applies(B, ['m2'])];
    expect(planned({ since, keeps: [B, C] }).from).to.equal(B);
    expect(refusal({ since, keeps: [C] }).message).to.match(
      /the release bbbbbbbbbbbb, which holds the way down of m2, is not kept on web-1/,
    );
  });

  it('takes the word of who applied the newest where the live release never looked at the database', () => {
    const plan = planned({ since: [applies(A, ['m1']), applies(B, ['m2']), past(C, [])] });
    expect([plan.from, plan.after?.pending, plan.before?.pending]).to.deep.equal([C, [], ['m2']]);
  });

  it('leaves the database out when nothing was applied, when told to, and where there is none', () => {
    expect(planned({ since: [applies(A, ['m1']), past(C, [])] })).to.deep.include({ from: C, applied: [] });
    const since = [applies(A, []), applies(C, ['m2'])];
    expect(planned({ since, codeOnly: true })).to.deep.include({ from: C, applied: [], codeOnly: true });
    expect(planned({ since, environment: anEnvironment() })).to.deep.include({
      applied: [],
      codeOnly: false,
    });
    expect(planRollback({ ...given({ since }), environment: anEnvironment(), hosts: [] }).from).to.equal('');
  });

  it('leaves out a host that is away, unless the database has to go back on it', () => {
    const since = [applies(A, ['m1']), applies(C, ['m2'])];
    expect(planned({ since, away: 'web-2' })).to.deep.include({ applied: ['m2'], skipped: ['web-2'] });
    const why = refusal({ since, away: 'web-1' });
    expect(why.message).to.contain('cannot go back: web-1, where it would go down, did not answer');
    expect(why.hint).to.contain('--code-only --skip-unreachable (puts');
    const nothing = [applies(A, ['m1']), past(C, [])];
    expect(planned({ since: nothing, away: 'web-1' })).to.deep.include({ from: C, skipped: ['web-1'] });
    const codeOnly = { since, away: 'web-1', codeOnly: true };
    expect(planned(codeOnly)).to.deep.include({ applied: [], skipped: ['web-1'] });
    const alone = { ...codeOnly, codeOnly: false, environment: anEnvironment() };
    expect(planned(alone)).to.deep.include({ from: C, skipped: ['web-1'] });
  });

  it('is refused when it is not known what was applied, with what leaving the database would do', () => {
    const lost = aRun('web-1', 'migrate', 'lost');
    const why = refusal({ since: [applies(A, []), past(C, [lost])] });
    expect(why.message).to.match(
      /the database of checkout production cannot go back: it is not known what d_\d+ left applied/,
    );
    expect(why.hint).to.match(/fraisier rollback checkout production --to aaaaaaaaaaaa --code-only/);
    expect(why.facts['deployment']).to.match(/^d_/);
    const unknown = { ...given({ since: [] }), target: { commit: A, deployment: null } };
    expect(() => planRollback(unknown)).to.throw('the record does not say what was applied since');
  });

  it('is refused when a migration, a deployment or the tool has no way down, naming it', () => {
    const stuck = applies(C, ['m2', 'm3'], ['m3']);
    expect(refusal({ since: [applies(A, []), stuck] }).message).to.match(
      /m3, applied by d_\d+, has no way down/,
    );
    const passed = applies(C, ['m2']);
    const plan = { ...(passed.deployment.plan as object), pointOfNoReturn: 'it is made anew' } as never;
    const beyond = { ...passed, deployment: { ...passed.deployment, plan } };
    expect(refusal({ since: [applies(A, []), beyond] }).message).to.match(
      /passed a point of no return \(it is made anew\)/,
    );
    const environment = anEnvironment({ database: { ...aDatabase, down: null } });
    expect(refusal({ since: [applies(A, []), applies(C, ['m2'])], environment }).message).to.match(
      /no way down for m2/,
    );
  });

  it('becomes a plan that migrates nothing, measures first, and goes down from the newer tree', () => {
    const rollback = planned({ since: [applies(A, ['m1']), applies(C, ['m2'])] });
    const input = {
      environment: MIGRATING,
      commit: A,
      ref: '',
      hosts: ['web-1', 'web-2'],
      madeAt: NOON,
      rollback,
    };
    const plan = makePlan(input);
    const steps = (host: string, phase: 'prepare' | 'migrate_down' | 'migrate') =>
      stepsOfRun(plan, host, phase, latestRuns([])).steps;
    expect(plan.pointOfNoReturn).to.equal('');
    expect(steps('web-1', 'prepare').at(-1)?.name).to.equal('migration_unchanged');
    expect(steps('web-2', 'prepare').at(-1)?.name).to.equal('install');
    const down = steps('web-1', 'migrate_down');
    expect(down.map(({ name }) => name)).to.deep.equal([
      'migration_unchanged',
      'migrate_down',
      'migration_undone',
    ]);
    const [, migrate] = down;
    expect(migrate?.action?.value).to.deep.include({ commit: C });
    expect(migrate?.action?.$case === 'migrate' ? migrate.action.value.environment : {}).to.deep.include({
      FRAISIER_REVISION: 'm1',
      FRAISIER_APPLIED: 'm2',
    });
  });

  it('does nothing to a database of which a stored plan tells no states', () => {
    const rollback = Rollback.fromPartial({ from: C, applied: ['m2'] });
    const plan = makePlan({
      environment: MIGRATING,
      commit: A,
      ref: '',
      hosts: ['web-1'],
      madeAt: NOON,
      rollback,
    });
    expect(stepsOfRun(plan, 'web-1', 'migrate_down', latestRuns([])).steps).to.deep.equal([]);
  });

  it('does not even look at the database when it stays as it is', () => {
    const rollback = Rollback.fromPartial({ from: C, codeOnly: true });
    const plan = makePlan({
      environment: MIGRATING,
      commit: A,
      ref: '',
      hosts: ['web-1'],
      madeAt: NOON,
      rollback,
    });
    expect([plan.migratingHost, plan.migration]).to.deep.equal(['', undefined]);
  });

  it('asks hosts whether they have anything to do only when that was wanted, and not when a host prepares again', () => {
    const input = { environment: MIGRATING, commit: A, ref: '', hosts: ['web-1'], madeAt: NOON };
    const asks = (plan: ReturnType<typeof makePlan>, runs: readonly RunRow[] = []) => {
      const [first] = stepsOfRun(plan, 'web-1', 'prepare', latestRuns(runs)).steps;
      return first?.action?.$case === 'preflight'
        ? [first.action.value.settle, first.action.value.health !== undefined]
        : [];
    };
    expect(asks(makePlan({ ...input, settle: true }))).to.deep.equal([true, true]);
    expect(asks(makePlan(input))).to.deep.equal([false, false]);
    const settled = aRun('web-1', 'prepare', 'succeeded', { settled: true });
    expect(asks(makePlan({ ...input, settle: true }), [settled])[0]).to.equal(false);
  });
});

let deployments = 0;
let applied: string[] = [];

function past(commit: string, runs: readonly RunRow[], more: Partial<DeploymentRow> = {}): PastDeployment {
  deployments += 1;
  const id = `d_${deployments}`;
  return {
    deployment: aDeployment({ id, commit, status: 'succeeded', environmentConfig: MIGRATING, ...more }),
    runs,
  };
}

/** A deployment that found `all` pending and applied them. */
function applies(
  commit: string,
  all: readonly string[],
  irreversible: readonly string[] = [],
): PastDeployment {
  const revision = (last: readonly string[]) => last.at(-1) ?? '';
  const before = MigrationState.fromPartial({ revision: revision(applied), pending: all, irreversible });
  applied = [...applied, ...all];
  const after = MigrationState.fromPartial({ revision: revision(applied), moment: Moment.AFTER });
  return past(commit, [
    aRun('web-1', 'prepare', 'succeeded', { migration: before }),
    aRun('web-1', 'migrate', 'succeeded', { migration: after }),
  ]);
}

function rollback(commit: string, down: readonly string[], runs: readonly RunRow[]): PastDeployment {
  const plan = {
    ...aDeployment({ environmentConfig: MIGRATING }).plan,
    rollback: Rollback.fromPartial({ applied: down }),
  };
  return past(commit, runs, { kind: 'rollback', plan: plan as never });
}

function ids(all: readonly PastDeployment[]): string[] {
  const known = appliedSince(all);
  return 'applied' in known ? known.applied.map(({ id }) => id) : [known.unknown];
}

function unknown(all: readonly PastDeployment[]): string {
  const known = appliedSince(all);
  return 'unknown' in known ? known.unknown : '';
}

interface Given {
  readonly since: readonly PastDeployment[];
  readonly keeps?: readonly string[];
  readonly codeOnly?: boolean;
  readonly away?: string;
  readonly environment?: Past['environment'];
}

function given({ since, keeps = [A, B, C], codeOnly = false, environment = MIGRATING, away }: Given): Past {
  const kept = keeps.map((commit) => ({ commit, provenGood: true }));
  const names = ['web-1', 'web-2'];
  const hosts = names
    .filter((host) => host !== away)
    .map((host) => ({ host, inspection: Inspection.fromPartial({ release: C, kept }) }));
  const deployment = since[0]?.deployment ?? aDeployment();
  return { environment, target: { commit: A, deployment }, codeOnly, names, hosts, since };
}

function planned(more: Given): Rollback {
  applied = [];
  return planRollback(given(more));
}

function refusal(more: Given): Reason {
  try {
    planned(more);
  } catch (error) {
    if (error instanceof FraisierError && error.reason.code === 'database_cannot_go_back')
      return error.reason;
    throw error;
  }
  throw new Error('it was not refused');
}
