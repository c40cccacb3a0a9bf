import { expect } from 'chai';
import { decide, type Decision, type Situation } from '../../../controller/deployments/decide.js';
import type { DeploymentRow } from '../../../controller/deployments/ledger/deployment.js';
import type { RunRow } from '../../../controller/deployments/ledger/run.js';
import { DEPLOYMENT_STATUSES, deploymentHasEnded } from '../../../controller/deployments/lifecycle.js';
import { reason } from '../../../controller/deployments/reason.js';
import { Moment, Step } from '../../../proto/gen/fraisier/v1/plan.js';
import { aDatabase, aDeployment, anEnvironment, aRun, aState, at } from '../../support/builders.js';

const HERE = [
  { name: 'web-1', leaseExpiresAt: at(3600), validUntil: at(3600) },
  { name: 'web-2', leaseExpiresAt: at(3600), validUntil: at(3600) },
];
const RED = reason('health_check_failed', 'GET /health answered 500');
const MIGRATING = anEnvironment({ database: aDatabase });
const BEGUN = aState('', [], { moment: Moment.BEGUN });

describe('decide', () => {
  describe('going forward', () => {
    it('prepares every host at once', () => {
      expect(starts(given([]))).to.deep.equal(['prepare web-1 1', 'prepare web-2 1']);
    });

    it('touches no host before all are prepared', () => {
      const decision = given([aRun('web-1', 'prepare', 'succeeded'), aRun('web-2', 'prepare', 'running')]);
      expect(decision.start).to.equal(undefined);
      expect(decision.wait?.reason?.message).to.equal('prepare on web-2 is running');
    });

    it('releases one batch after the other', () => {
      expect(starts(given(prepared()))).to.deep.equal(['release web-1 1']);
      expect(given([...prepared(), aRun('web-1', 'release', 'running')]).start).to.equal(undefined);
      expect(starts(given([...prepared(), aRun('web-1', 'release', 'succeeded')]))).to.deep.equal([
        'release web-2 1',
      ]);
    });

    it('releases all at once when told to', () => {
      const environment = anEnvironment({ rollout: { ...anEnvironment().rollout, strategy: 'all_at_once' } });
      expect(starts(given(prepared(), { environmentConfig: environment }))).to.deep.equal([
        'release web-1 1',
        'release web-2 1',
      ]);
    });

    it('bakes between batches, and says until when', () => {
      const environment = anEnvironment({ rollout: { ...anEnvironment().rollout, bakeMs: 30_000 } });
      const runs = [...prepared(), aRun('web-1', 'release', 'succeeded', { finishedAt: at(10) })];
      expect(given(runs, { environmentConfig: environment }, at(39)).wait?.until).to.deep.equal(at(40));
      expect(starts(given(runs, { environmentConfig: environment }, at(40)))).to.deep.equal([
        'release web-2 1',
      ]);
    });

    it('prunes when every host is released, and then has succeeded', () => {
      expect(starts(given(released()))).to.deep.equal(['prune web-1 1', 'prune web-2 1']);
      const done = [...released(), aRun('web-1', 'prune', 'succeeded'), aRun('web-2', 'prune', 'succeeded')];
      expect(given(done).move).to.deep.equal({ to: 'succeeded', reason: null });
    });

    it('succeeds with a warning when a prune failed', () => {
      const done = [...released(), aRun('web-1', 'prune', 'failed'), aRun('web-2', 'prune', 'succeeded')];
      const { move } = given(done);
      expect(move?.to).to.equal('succeeded');
      expect(move?.reason?.code).to.equal('prune_failed');
    });

    it('does not wait for a prune beyond the deployment’s limit, and never undoes for it', () => {
      const late = given(
        [...released(), aRun('web-1', 'prune', 'pending'), aRun('web-2', 'prune', 'running')],
        {},
        at(601),
      );
      expect(late.move).to.equal(undefined);
      expect(late.drop).to.have.length(1);
      expect(late.cancel).to.have.length(1);
      expect(given([...released(), aRun('web-1', 'prune', 'running')], {}, at(601)).start).to.have.length(1);
    });

    it('migrates once, on the first host, after all are prepared', () => {
      const pending = prepared({ migration: aState('r1', ['r2']) });
      expect(starts(given(pending, { environmentConfig: MIGRATING }))).to.deep.equal(['migrate web-1 1']);
      const migrated = [...prepared(), aRun('web-1', 'migrate', 'succeeded')];
      expect(starts(given(migrated, { environmentConfig: MIGRATING }))).to.deep.equal(['release web-1 1']);
      const running = [...prepared(), aRun('web-1', 'migrate', 'running')];
      expect(given(running, { environmentConfig: MIGRATING }).wait?.reason?.message).to.equal(
        'migrate on web-1 is running',
      );
    });

    it('migrates nothing when the tool said that nothing is pending', () => {
      const nothing = prepared({ migration: aState('r3', []) });
      expect(starts(given(nothing, { environmentConfig: MIGRATING }))).to.deep.equal(['release web-1 1']);
    });

    it('migrates without asking where the tool cannot say what is pending', () => {
      const blind = anEnvironment({ database: { ...aDatabase, status: null, allowIrreversible: true } });
      expect(starts(given(prepared(), { environmentConfig: blind }))).to.deep.equal(['migrate web-1 1']);
    });

    it('begins no migration without a way down unless that is allowed', () => {
      const end = (more: Partial<typeof aDatabase>, irreversible: string[] = []) => {
        const found = more.status === null ? {} : { migration: aState('r1', ['r2', 'r3'], { irreversible }) };
        const environmentConfig = anEnvironment({ database: { ...aDatabase, ...more } });
        return given(prepared(found), { environmentConfig }).move;
      };
      expect(end({}, ['r3'])?.to).to.equal('failed');
      expect(end({}, ['r3'])?.reason?.message).to.equal(
        'the migration was not begun, nothing was touched: r3 has no way down',
      );
      expect(end({ down: null })?.reason?.message).to.contain('r2, r3 have no way down');
      expect(end({ status: null })?.reason).to.include({ code: 'irreversible_migration' });
      expect(end({ status: null })?.reason?.message).to.contain('command cannot tell what it applies');
      expect(end({ down: null, allowIrreversible: true })).to.equal(undefined);
      expect(end({})).to.equal(undefined);
    });

    it('leaves queued and ended deployments alone', () => {
      for (const status of DEPLOYMENT_STATUSES.filter((one) => one === 'queued' || deploymentHasEnded(one))) {
        expect(given([], { status })).to.deep.equal({});
      }
    });

    it('refuses to decide on a started deployment without a plan', () => {
      expect(() => given([], { plan: null })).to.throw('without a plan');
    });
  });

  describe('when something fails', () => {
    it('stops the others before it goes anywhere, keeping the first reason', () => {
      const failed = aRun('web-1', 'prepare', 'failed', { reason: RED });
      const running = aRun('web-2', 'prepare', 'running');
      const decision = given([failed, running]);
      expect(decision.cancel?.map((one) => one.run.id)).to.deep.equal([running.id]);
      expect(decision.move?.to).to.equal('running');
      expect(decision.move?.reason?.message).to.equal('prepare on web-1: GET /health answered 500');
    });

    it('does not tell an agent twice to stop', () => {
      const cancelled = aRun('web-2', 'prepare', 'running', { cancelReason: RED });
      expect(given([aRun('web-1', 'prepare', 'failed'), cancelled], { reason: RED }).cancel).to.deep.equal(
        [],
      );
    });

    it('drops what was never dispatched', () => {
      const pending = aRun('web-2', 'prepare', 'pending');
      const { drop } = given([aRun('web-1', 'prepare', 'failed'), pending]);
      expect(drop?.map((one) => [one.run.id, one.to])).to.deep.equal([[pending.id, 'cancelled']]);
    });

    it('ends failed when nothing live was touched', () => {
      const { move } = given([
        aRun('web-1', 'prepare', 'failed', { reason: RED }),
        aRun('web-2', 'prepare', 'succeeded'),
      ]);
      expect(move?.to).to.equal('failed');
      expect(move?.reason?.facts['host']).to.equal('web-1');
    });

    it('goes back when a release failed, and keeps the reason', () => {
      const { move } = given([...prepared(), aRun('web-1', 'release', 'failed', { reason: RED })]);
      expect(move?.to).to.equal('rolling_back');
      expect(move?.reason?.code).to.equal('health_check_failed');
    });

    it('names the run’s status when an agent gave no reason', () => {
      const { move } = given([...prepared(), aRun('web-1', 'release', 'cancelled')]);
      expect(move?.reason?.message).to.equal('release on web-1: the run ended cancelled');
    });

    it('takes the failure that came first as the reason', () => {
      const second = aRun('web-1', 'prepare', 'failed', { finishedAt: at(9) });
      const first = aRun('web-2', 'prepare', 'failed', { finishedAt: at(5) });
      expect(given([second, first]).move?.reason?.facts['host']).to.equal('web-2');
      expect(
        given([aRun('web-1', 'prepare', 'failed', { finishedAt: null }), first]).move?.reason?.facts['host'],
      ).to.equal('web-1');
      expect(
        given([first, aRun('web-1', 'prepare', 'failed', { finishedAt: null })]).move?.reason?.facts['host'],
      ).to.equal('web-1');
    });

    it('pauses or stops where the configuration says so', () => {
      const broken = [...prepared(), aRun('web-1', 'release', 'failed', { reason: RED })];
      const rollout = anEnvironment().rollout;
      const pause = given(broken, {
        environmentConfig: anEnvironment({ rollout: { ...rollout, onFailure: 'pause' } }),
      });
      expect(pause.move?.to).to.equal('paused');
      expect(pause.move?.reason?.hint).to.equal(
        'fraisier continue d_1 or fraisier retry d_1 --host web-1 or fraisier skip d_1 --host web-1 or fraisier rollback checkout production',
      );
      const stop = given(broken, {
        environmentConfig: anEnvironment({ rollout: { ...rollout, onFailure: 'stop' } }),
      });
      expect(stop.move?.to).to.equal('failed');
    });

    it('gives up at the deployment’s limit and says so', () => {
      const running = aRun('web-1', 'prepare', 'running');
      const decision = given([running, aRun('web-2', 'prepare', 'succeeded')], {}, at(600));
      expect(decision.move?.reason?.code).to.equal('deployment_timed_out');
      expect(decision.cancel).to.have.length(1);
    });

    it('counts the limit from the last continue, also when nothing was to be done again', () => {
      const running = [aRun('web-1', 'prepare', 'running'), aRun('web-2', 'prepare', 'succeeded')];
      expect(given(running, { continuedAt: at(500) }, at(1099)).move).to.equal(undefined);
      expect(given(running, { continuedAt: at(500) }, at(1100)).move?.to).to.equal('running');
      const again = aRun('web-1', 'prepare', 'running', { attempt: 2, createdAt: at(500) });
      expect(given([again], {}, at(600)).cancel, 'a second attempt alone is no continue').to.have.length(1);
    });

    it('counts the limit from when it was made where it is not known when it started', () => {
      const running = [aRun('web-1', 'prepare', 'running'), aRun('web-2', 'prepare', 'succeeded')];
      expect(given(running, { startedAt: null }, at(599)).move).to.equal(undefined);
      expect(given(running, { startedAt: null }, at(600)).move?.to).to.equal('running');
    });

    it('pauses rather than guess whether a migration was applied', () => {
      for (const status of ['interrupted', 'lost'] as const) {
        const { move } = given([...prepared(), aRun('web-1', 'migrate', status)], {
          environmentConfig: MIGRATING,
        });
        expect(move?.to).to.equal('paused');
        expect(move?.reason?.code).to.equal('outcome_unknown');
        expect(move?.reason?.hint).to.contain('fraisier continue d_1').and.to.contain('fraisier cancel d_1');
      }
    });
  });

  describe('cancelling', () => {
    const cancelled = { cancelRequestedBy: 'ana' };

    it('ends cancelled while nothing was touched', () => {
      const { move } = given(prepared(), cancelled);
      expect(move?.to).to.equal('cancelled');
      expect(move?.reason?.message).to.equal('cancelled by ana');
    });

    it('undoes what was touched, whatever on_failure says', () => {
      const pausing = anEnvironment({ rollout: { ...anEnvironment().rollout, onFailure: 'pause' } });
      const runs = [...prepared(), aRun('web-1', 'release', 'succeeded')];
      expect(given(runs, { ...cancelled, environmentConfig: pausing }).move?.to).to.equal('rolling_back');
    });

    it('ends a paused deployment, undoing it when a host was touched', () => {
      expect(given(prepared(), { ...cancelled, status: 'paused' }).move?.to).to.equal('cancelled');
      const touched = [...prepared(), aRun('web-1', 'release', 'failed')];
      expect(given(touched, { ...cancelled, status: 'paused' }).move?.to).to.equal('rolling_back');
    });
  });

  describe('continued, and stopped before the new attempt was dispatched', () => {
    const dropped = (phase: RunRow['phase']): RunRow =>
      aRun('web-1', phase, 'cancelled', { attempt: 2, dispatchedAt: null });
    const stopped = { cancelRequestedBy: 'ana', reason: reason('cancelled', 'cancelled by ana') };

    it('goes back on a host that the attempt before had touched', () => {
      const runs = [...prepared(), aRun('web-1', 'release', 'failed', { reason: RED }), dropped('release')];
      expect(given(runs, stopped).move?.to).to.equal('rolling_back');
      expect(starts(given(runs, { ...stopped, status: 'rolling_back' }))).to.deep.equal(['undo web-1 1']);
    });

    it('still does not guess whether the attempt before migrated', () => {
      const runs = [...prepared(), aRun('web-1', 'migrate', 'interrupted'), dropped('migrate')];
      const migrating = { ...stopped, environmentConfig: MIGRATING };
      expect(given(runs, migrating).move?.reason?.code).to.equal('outcome_unknown');
      expect(starts(given(runs, { ...migrating, status: 'rolling_back' }))).to.deep.equal([
        'migrate_down web-1 1',
      ]);
    });
  });

  describe('paused', () => {
    it('waits with its reason', () => {
      expect(given(prepared(), { status: 'paused', reason: RED }).wait?.reason).to.equal(RED);
    });

    it('does again what ended badly when continued', () => {
      const runs = [...prepared(), aRun('web-1', 'release', 'failed')];
      const decision = given(runs, { status: 'paused', reason: RED, continueRequestedBy: 'ana' });
      expect(decision).to.deep.equal({ move: { to: 'running', reason: null } });
      expect(starts(given(runs, { continuedAt: at(50) }))).to.deep.equal(['release web-1 2']);
      expect(starts(given(runs, { continuedAt: at(2) })), 'failed again since').to.deep.equal([]);
    });

    it('waits when it is going back already, whoever cancelled it', () => {
      const runs = [...prepared(), aRun('web-1', 'release', 'failed'), aRun('web-1', 'migrate_down', 'lost')];
      const { move, wait } = given(runs, { status: 'paused', reason: RED, cancelRequestedBy: 'ana' });
      expect([move, wait?.reason]).to.deep.equal([undefined, RED]);
    });

    it('goes on with the undo when that was paused, for the first reason', () => {
      const down = aRun('web-1', 'migrate_down', 'interrupted');
      const runs = [
        ...prepared(),
        aRun('web-1', 'release', 'failed', { reason: RED }),
        aRun('web-1', 'undo', 'succeeded'),
        down,
      ];
      const decision = given(runs, {
        status: 'paused',
        continueRequestedBy: 'ana',
        environmentConfig: MIGRATING,
      });
      expect(decision.move?.to).to.equal('rolling_back');
      expect(decision.move?.reason?.code).to.equal('health_check_failed');
      expect(starts(decision)).to.deep.equal(['migrate_down web-1 2']);
      const byHand = given(runs, { status: 'paused', continueRequestedBy: 'ana', cancelRequestedBy: 'bo' });
      expect(byHand.move?.reason?.code).to.equal('cancelled');
      const unexplained = given([aRun('web-1', 'migrate_down', 'failed')], {
        status: 'paused',
        continueRequestedBy: 'ana',
      });
      expect(unexplained.move?.reason?.code).to.equal('run_failed');
    });
  });

  describe('going back', () => {
    const back = { status: 'rolling_back' as const, reason: RED };
    const broken = () => [
      ...prepared(),
      aRun('web-1', 'release', 'succeeded'),
      aRun('web-2', 'release', 'failed', { reason: RED }),
    ];

    it('undoes the newest batch first', () => {
      expect(starts(given(broken(), back))).to.deep.equal(['undo web-2 1']);
      expect(starts(given([...broken(), aRun('web-2', 'undo', 'succeeded')], back))).to.deep.equal([
        'undo web-1 1',
      ]);
      expect(given([...broken(), aRun('web-2', 'undo', 'running')], back).wait?.reason?.message).to.equal(
        'undo on web-2 is running',
      );
    });

    it('undoes a host that is no longer in the plan as of the first batch', () => {
      expect(starts(given([aRun('web-9', 'release', 'failed')], back))).to.deep.equal(['undo web-9 1']);
    });

    it('leaves untouched hosts alone', () => {
      const runs = [...prepared(), aRun('web-1', 'release', 'failed')];
      expect(starts(given(runs, back))).to.deep.equal(['undo web-1 1']);
      expect(given([...runs, aRun('web-1', 'undo', 'succeeded')], back).move?.to).to.equal('rolled_back');
    });

    it('ends rolled_back with the reason it went back for', () => {
      const runs = [...broken(), aRun('web-2', 'undo', 'succeeded'), aRun('web-1', 'undo', 'succeeded')];
      expect(given(runs, back).move).to.deep.equal({ to: 'rolled_back', reason: RED });
      expect(given(runs, { ...back, reason: null }).move?.reason?.code).to.equal('run_failed');
    });

    it('ends rollback_failed when a host could not go back', () => {
      const runs = [
        ...broken(),
        aRun('web-2', 'undo', 'failed', { reason: RED }),
        aRun('web-1', 'undo', 'succeeded'),
      ];
      const { move } = given(runs, back);
      expect(move?.to).to.equal('rollback_failed');
      expect(move?.reason?.code).to.equal('undo_failed');
      expect(move?.reason?.message).to.contain('going back failed too: undo on web-2');
    });

    it('gives up on a host that stays away, and says so', () => {
      const pending = aRun('web-2', 'undo', 'pending', { createdAt: at(100) });
      expect(given([...broken(), pending], back, at(699)).drop).to.equal(undefined);
      const decision = given([...broken(), pending], back, at(700));
      expect(decision.drop?.map((one) => one.to)).to.deep.equal(['skipped']);
      const skipped = [...broken(), aRun('web-2', 'undo', 'skipped'), aRun('web-1', 'undo', 'succeeded')];
      expect(given(skipped, back).move?.to).to.equal('rollback_failed');
    });

    it('says when there was no release to go back to', () => {
      const first = (host: string) => aRun(host, 'prepare', 'succeeded', { previousRelease: '' });
      const runs = [
        first('web-1'),
        first('web-2'),
        aRun('web-1', 'release', 'failed'),
        aRun('web-1', 'undo', 'succeeded'),
      ];
      const { move } = given(runs, back);
      expect(move?.to).to.equal('failed');
      expect(move?.reason?.code).to.equal('no_previous_release');
      const unmeasured = [aRun('web-1', 'release', 'failed'), aRun('web-1', 'undo', 'succeeded')];
      expect(given(unmeasured, back).move?.reason?.code).to.equal('no_previous_release');
    });

    describe('the database', () => {
      const migrating = { ...back, environmentConfig: MIGRATING };
      const touched = (status: RunRow['status'] = 'succeeded') => [
        ...prepared({ migration: aState('r1', ['r2']) }),
        aRun('web-1', 'migrate', status),
        aRun('web-1', 'release', 'failed'),
        aRun('web-1', 'undo', 'succeeded'),
      ];

      it('goes down after the hosts are back', () => {
        expect(starts(given(touched(), migrating))).to.deep.equal(['migrate_down web-1 1']);
        expect(given([...touched(), aRun('web-1', 'migrate_down', 'running')], migrating).wait).not.to.equal(
          undefined,
        );
        const { move } = given([...touched(), aRun('web-1', 'migrate_down', 'succeeded')], migrating);
        expect(move?.to).to.equal('rolled_back');
        expect(move?.reason?.facts['migration']).to.equal('undone');
      });

      it('is never guessed about: an unknown way down pauses', () => {
        for (const status of ['interrupted', 'lost', 'cancelled'] as const) {
          const { move } = given([...touched(), aRun('web-1', 'migrate_down', status)], migrating);
          expect(move?.to).to.equal('paused');
          expect(move?.reason?.hint).to.equal('fraisier continue d_1');
        }
      });

      it('ends rollback_failed when the way down failed', () => {
        for (const status of ['failed', 'skipped'] as const) {
          const { move } = given([...touched(), aRun('web-1', 'migrate_down', status)], migrating);
          expect(move?.to).to.equal('rollback_failed');
          expect(move?.reason?.code).to.equal('migration_not_undone');
        }
      });

      it('is looked at after a failed migration, even without a way down', () => {
        const noDown = anEnvironment({ database: { ...aDatabase, down: null } });
        const runs = [...prepared(), aRun('web-1', 'migrate', 'failed', { migration: BEGUN })];
        expect(starts(given(runs, { ...back, environmentConfig: noDown }))).to.deep.equal([
          'migrate_down web-1 1',
        ]);
      });

      it('stays as it is past the point of no return, and the reason says so', () => {
        const noDown = {
          ...back,
          environmentConfig: anEnvironment({ database: { ...aDatabase, down: null } }),
        };
        const [before, after] = [aState('r1', ['r2']), aState('r2', [], { moment: Moment.AFTER })];
        const onlyMigrated = [
          ...prepared({ migration: before }),
          aRun('web-1', 'migrate', 'succeeded', { migration: after }),
        ];
        expect(given(onlyMigrated, noDown).move?.to).to.equal('failed');
        const undone = [aRun('web-1', 'release', 'failed'), aRun('web-1', 'undo', 'succeeded')];
        const { move } = given([...onlyMigrated, ...undone], noDown);
        expect(move?.to).to.equal('rolled_back');
        expect(move?.reason?.facts).to.include({ migration: 'kept', migrations: 'r2' });
        expect(move?.reason?.message).to.contain('the database keeps r2: no way down for r2');
      });

      it('keeps all of what was applied when part of that has no way down', () => {
        const end = (irreversible: string[]) =>
          given(
            [
              ...prepared({ migration: aState('r1', ['r2', 'r3'], { irreversible }) }),
              aRun('web-1', 'migrate', 'succeeded', {
                migration: aState('r3', [], { moment: Moment.AFTER }),
              }),
              aRun('web-1', 'release', 'failed'),
              aRun('web-1', 'undo', 'succeeded'),
            ],
            migrating,
          );
        expect(starts(end([]))).to.deep.equal(['migrate_down web-1 1']);
        expect(end(['r2']).move?.reason?.message).to.contain('the database keeps r2, r3: no way down for r2');
      });

      it('was not touched by a migration that did not begin', () => {
        const runs = [...prepared({ migration: aState('r1', ['r2']) }), aRun('web-1', 'migrate', 'failed')];
        const { move } = given(runs, migrating);
        expect([move?.to, move?.reason?.facts['migration']]).to.deep.equal(['failed', 'not_begun']);
        const cancelled = { ...migrating, reason: reason('cancelled', 'ana cancelled it') };
        const stopped = given([...runs.slice(0, -1), aRun('web-1', 'migrate', 'cancelled')], cancelled);
        expect(stopped.move?.to).to.equal('rolled_back');
      });

      it('is said to be unknown when nothing can tell', () => {
        const blind = {
          ...back,
          environmentConfig: anEnvironment({ database: { ...aDatabase, status: null } }),
        };
        const end = (status: RunRow['status']) =>
          given([...prepared(), aRun('web-1', 'migrate', status, { migration: BEGUN })], blind).move;
        expect(end('failed')?.to).to.equal('failed');
        expect(end('failed')?.reason?.facts['migration']).to.equal('unknown');
        expect(end('succeeded')?.reason?.facts['migration']).to.equal('kept');
      });
    });
  });

  describe('hosts that are away', () => {
    const away = [
      { name: 'web-1', leaseExpiresAt: at(60), validUntil: null },
      { name: 'web-2', leaseExpiresAt: at(3600), validUntil: at(3600) },
    ];
    const step = { name: 'install', startedAt: at(30), timeoutMs: 300_000 };

    it('are lost only after validity and the limit of the step in hand', () => {
      const running = aRun('web-1', 'prepare', 'running', { currentStep: step });
      expect(given([running], {}, at(374), away).lose).to.equal(undefined);
      const { lose } = given([running], {}, at(376), away);
      expect(lose?.map((one) => one.run.id)).to.deep.equal([running.id]);
      expect(lose?.[0]?.reason.message).to.contain('in the step install of prepare');
    });

    it('may have gone on to a step that must not be repeated, whose limit counts then', () => {
      const named = (name: string, timeoutMs: number, repeatable: boolean) =>
        Step.fromPartial({ name, timeoutMs, repeatable });
      const steps = [
        named('install', 300_000, true),
        named('migrate', 600_000, false),
        named('last', 9e6, true),
      ];
      const running = aRun('web-1', 'migrate', 'running', { currentStep: step, steps });
      expect(given([running], {}, at(60 + 600 + 14), away).lose).to.equal(undefined);
      expect(given([running], {}, at(60 + 600 + 16), away).lose).to.have.length(1);
    });

    it('count on their assignment for its whole length, also when the stream ended before', () => {
      const running = aRun('web-1', 'prepare', 'running', { currentStep: step });
      const cut = [{ name: 'web-1', leaseExpiresAt: at(60), validUntil: at(90) }];
      expect(given([running], {}, at(90 + 300 + 14), cut).lose).to.equal(undefined);
      expect(given([running], {}, at(90 + 300 + 16), cut).lose).to.have.length(1);
    });

    it('are told to stop what they are here for and have not begun within the limit, and lost when they do not answer', () => {
      const back = { status: 'rolling_back' as const, reason: RED };
      const touched = [...prepared(), aRun('web-1', 'release', 'failed')];
      const sent = aRun('web-1', 'undo', 'dispatched', { dispatchedAt: at(1) });
      expect(given([...touched, sent], back, at(1 + 600 + 15))).not.to.have.any.keys('cancel', 'lose');
      const { cancel, lose } = given([...touched, sent], back, at(1 + 600 + 16));
      expect([cancel?.map(({ run }) => run.id), lose]).to.deep.equal([[sent.id], undefined]);
      expect(cancel?.[0]?.reason.message).to.equal('the agent on web-1 did not begin undo within 600 s');
      const told = { ...sent, cancelReason: cancel?.[0]?.reason ?? RED, cancelAskedAt: at(617) };
      expect(given([...touched, told], back, at(617 + 60))).not.to.have.any.keys('cancel', 'lose');
      expect(
        given([...touched, told], back, at(617 + 61)).lose?.map(({ reason: why }) => why.message),
      ).to.deep.equal([
        'the agent on web-1 was told to stop undo, which it had not begun, and did not answer within 60 s',
      ]);
    });

    it('are not lost for what they have begun and were told to stop: it has limits of its own', () => {
      const stopping = aRun('web-1', 'prepare', 'running', { cancelReason: RED, cancelAskedAt: at(60) });
      expect(given([stopping], { reason: RED }, at(599)).lose).to.equal(undefined);
    });

    it('are lost after the longest limit when no step was reported', () => {
      const deployment = aDeployment();
      const steps = deployment.plan?.phases[0]?.steps ?? [];
      const running = aRun('web-1', 'prepare', 'dispatched', { steps });
      expect(given([running], {}, at(60 + 600 + 14), away).lose).to.equal(undefined);
      expect(given([running], {}, at(60 + 600 + 16), away).lose?.[0]?.reason.message).to.contain(
        'in prepare',
      );
    });

    it('count from the dispatch when the host is not known any more', () => {
      const orphan = aRun('web-9', 'prepare', 'running', { dispatchedAt: at(10) });
      expect(given([orphan], {}, at(26)).lose).to.have.length(1);
      expect(given([{ ...orphan, dispatchedAt: null }], {}, at(26)).lose).to.have.length(1);
    });

    it('are not lost while their lease is valid', () => {
      expect(given([aRun('web-1', 'prepare', 'running'), aRun('web-2', 'prepare', 'pending')]).lose).to.equal(
        undefined,
      );
    });
  });
});

function given(
  runs: readonly RunRow[],
  more: Parameters<typeof aDeployment>[0] & Partial<DeploymentRow> = {},
  now = at(60),
  hosts: Situation['hosts'] = HERE,
): Decision {
  const situation: Situation = { deployment: aDeployment(more), runs, hosts, now };
  const first = decide(situation);
  expect(decide(situation), 'the same situation gives the same decision').to.deep.equal(first);
  return first;
}

function starts(decision: Decision): string[] {
  return (decision.start ?? []).map(({ phase, host, attempt }) => `${phase} ${host} ${attempt}`);
}

function prepared(more: Partial<RunRow> = {}): RunRow[] {
  return [aRun('web-1', 'prepare', 'succeeded', more), aRun('web-2', 'prepare', 'succeeded')];
}

function released(): RunRow[] {
  return [...prepared(), aRun('web-1', 'release', 'succeeded'), aRun('web-2', 'release', 'succeeded')];
}
