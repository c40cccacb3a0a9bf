import { expect } from 'chai';
import {
  decide,
  type Decision,
  type HostView,
  type Situation,
} from '../../../controller/deployments/decide.js';
import type { Answer, DeploymentRow } from '../../../controller/deployments/ledger/deployment.js';
import type { RunRow } from '../../../controller/deployments/ledger/run.js';
import { makePlan } from '../../../controller/deployments/plan.js';
import { reason } from '../../../controller/deployments/reason.js';
import { Step } from '../../../proto/gen/fraisier/v1/plan.js';
import type { Rollout } from '../../../controller/fraises/fraises.js';
import {
  aDatabase,
  aDeployment,
  anEnvironment,
  aRollout,
  aRun,
  aState,
  at,
  COMMIT,
  NOON,
} from '../../support/builders.js';

const FIVE = ['web-1', 'web-2', 'web-3', 'web-4', 'web-5'];
const RED = reason('health_check_failed', 'GET /health answered 500');

describe('deciding on a rollout over many hosts', () => {
  describe('that may fail on some of them', () => {
    const one = { maxFailures: 1 };

    it('takes the host back by itself, waits for that, and goes on', () => {
      const failed = [...prepared(), bad('web-1')];
      expect(starts(given(failed, one))).to.deep.equal(['undo web-1 1']);
      expect(given([...failed, aRun('web-1', 'undo', 'running')], one).wait?.reason?.message).to.equal(
        'undo on web-1 is running',
      );
      const back = [...failed, aRun('web-1', 'undo', 'succeeded')];
      expect(starts(given(back, one))).to.deep.equal(['release web-2 1']);
    });

    it('goes on too when the host could not be taken back', () => {
      const failed = [...prepared(), bad('web-1'), aRun('web-1', 'undo', 'failed')];
      expect(starts(given(failed, one))).to.deep.equal(['release web-2 1']);
    });

    it('releases nowhere when the others have nothing to do', () => {
      const settled = prepared()
        .slice(1)
        .map((run) => ({ ...run, settled: true }));
      const runs = [aRun('web-1', 'prepare', 'failed', { reason: RED }), ...settled];
      expect(given(runs, one).move?.reason?.code).to.equal('hosts_failed');
    });

    it('does not release where it could not be prepared, and does not undo there', () => {
      const runs = [...prepared().slice(1), aRun('web-1', 'prepare', 'failed', { reason: RED })];
      expect(starts(given(runs, one))).to.deep.equal(['release web-2 1']);
    });

    it('has a canary all the same when the first one could not be prepared', () => {
      const runs = [...prepared().slice(1), aRun('web-1', 'prepare', 'failed', { reason: RED })];
      const canary = { ...one, canary: 1, batch: [3] };
      expect(starts(given(runs, canary))).to.deep.equal(['release web-2 1']);
      expect(starts(given([...runs, good('web-2')], canary))).to.deep.equal([
        'release web-3 1',
        'release web-4 1',
        'release web-5 1',
      ]);
    });

    it('waits for the others that are being prepared', () => {
      const runs = [
        aRun('web-1', 'prepare', 'failed'),
        ...prepared().slice(1, 4),
        aRun('web-5', 'prepare', 'running'),
      ];
      expect(given(runs, one).wait?.reason?.message).to.equal('prepare on web-5 is running');
    });

    it('stops when one more fails, counting the whole fleet and not the batch, and names them all', () => {
      const runs = [
        ...prepared(),
        bad('web-1'),
        aRun('web-1', 'undo', 'succeeded'),
        bad('web-2', { finishedAt: at(9) }),
      ];
      const { move } = given(runs, one);
      expect(move?.to).to.equal('rolling_back');
      expect(move?.reason?.code).to.equal('health_check_failed');
      expect(move?.reason?.message).to.equal(
        'release on web-1: GET /health answered 500; failed on web-1, web-2 (max_failures: 1)',
      );
      expect(move?.reason?.facts).to.include({ failed: 'web-1 web-2', max_failures: '1' });
    });

    it('counts a percentage of the hosts, rounded down', () => {
      const two = [...prepared(), bad('web-1'), bad('web-2')];
      expect(given(two, { maxFailures: '40%' }).start).to.have.length(2);
      expect(given(two, { maxFailures: '39%' }).move?.to).to.equal('rolling_back');
    });

    it('is over when the last host fails, however many may', () => {
      const all = [...prepared(), ...FIVE.map((host) => bad(host))];
      expect(given(all, { maxFailures: 9 }).move?.to).to.equal('rolling_back');
      const prepares = FIVE.map((host) => aRun(host, 'prepare', 'failed', { reason: RED }));
      expect(given(prepares, { maxFailures: 9 }).move?.to).to.equal('failed');
    });

    it('does not go on without the migration, nor without what measures the database', () => {
      const more = {
        environmentConfig: anEnvironment({ database: aDatabase, rollout: aRollout({ maxFailures: 3 }) }),
      };
      const runs = [aRun('web-1', 'prepare', 'failed', { reason: RED }), ...prepared().slice(1)];
      expect(given(runs, {}, more).move?.to).to.equal('failed');
      const migrating = [...prepared(), aRun('web-1', 'migrate', 'failed', { reason: RED })];
      expect(given(migrating, {}, more).move?.to).to.equal('rolling_back');
    });

    it('never goes on with a rollback: that stops where it is', () => {
      const { move } = given([...prepared(), bad('web-1')], one, { kind: 'rollback' });
      expect(move?.to).to.equal('failed');
      expect(move?.reason?.message).to.contain('the rollback stopped there');
    });

    it('ends failed, with what is live where, when only hosts that may fail did', () => {
      const { move } = given([...done('web-3'), aRun('web-3', 'undo', 'succeeded')], one);
      expect(move?.to).to.equal('failed');
      expect(move?.reason).to.deep.equal(
        reason(
          'hosts_failed',
          'live on web-1, web-2, web-4, web-5; release on web-3: GET /health answered 500 (is back on aaaaaaaaaaaa)',
          {
            hint: 'fraisier retry d_1 --host web-3',
            facts: { failed: 'web-3', lost: '', cause: 'health_check_failed' },
          },
        ),
      );
    });

    it('says so of each host that is not back', () => {
      const why = (runs: readonly RunRow[]) => given(runs, one).move?.reason?.message;
      expect(why([...done('web-3'), aRun('web-3', 'undo', 'failed')])).to.contain(
        '(could not be taken back)',
      );
      const fresh = done('web-3').filter(({ host, phase }) => host !== 'web-3' || phase !== 'prepare');
      const first = aRun('web-3', 'prepare', 'succeeded', { previousRelease: '' });
      expect(why([...fresh, first, aRun('web-3', 'undo', 'succeeded')])).to.contain(
        '(is stopped: it had no release before)',
      );
      const unprepared = fresh.filter(({ host }) => host !== 'web-3');
      expect(why([...unprepared, aRun('web-3', 'prepare', 'failed', { reason: RED })])).to.contain(
        '(was not touched)',
      );
    });

    it('does not wait for a host that is away to be taken back, until nothing else is left, and then a minute', () => {
      const lost = done('web-3').map((run) =>
        run.host === 'web-3' && run.phase === 'release' ? { ...run, status: 'lost' as const } : run,
      );
      const undo = aRun('web-3', 'undo', 'pending', { createdAt: at(100) });
      const away = (seconds: number, runs: readonly RunRow[]) =>
        given(runs, one, {}, at(seconds), withAway('web-3'));
      const early = [...prepared(), bad('web-3'), undo];
      expect(starts(away(110, early))).to.deep.equal(['release web-1 1']);
      expect(away(159, [...lost, undo]).wait?.reason?.message).to.equal('undo on web-3 is pending');
      expect(away(160, [...lost, undo]).drop?.map(({ to }) => to)).to.deep.equal(['skipped']);
      expect(given([...lost, undo], one, {}, at(160)).drop, 'it is here').to.equal(undefined);
      const end = away(160, [...lost, { ...undo, status: 'skipped' }]).move;
      expect([end?.to, end?.reason?.facts['lost']]).to.deep.equal(['failed', 'web-3']);
    });

    it('does not wait for ever for one that was away when it was its turn: it is one of those that may fail', () => {
      const steps = [Step.fromPartial({ name: 'restart', timeoutMs: 100_000 })];
      const turn = aRun('web-3', 'release', 'pending', { steps, createdAt: at(50) });
      const runs = [...prepared(), good('web-1'), good('web-2'), turn];
      const away = (seconds: number, all: readonly RunRow[] = runs, rollout: Partial<Rollout> = one) =>
        given(all, rollout, {}, at(seconds), withAway('web-3'));
      expect(away(164)).not.to.have.any.keys('drop', 'move', 'start');
      const [dropped] = away(165).drop ?? [];
      expect([dropped?.run.id, dropped?.to]).to.deep.equal([turn.id, 'cancelled']);
      expect(dropped?.reason.message).to.equal(
        'web-3 has been away since 2026-05-01T12:00:10.000Z, and release could not be sent to it',
      );
      expect(given(runs, one, {}, at(300)).drop, 'it is here').to.equal(undefined);
      expect(away(300, runs, {}).drop, 'none may fail').to.equal(undefined);
      expect(away(300, [...runs, bad('web-4')]).drop, 'one failed already').to.equal(undefined);
      const touched = [bad('web-3'), { ...turn, attempt: 2 }];
      const again = [...runs.slice(0, -1), ...touched];
      const continued = { continuedAt: at(49) };
      expect(given(again, one, continued, at(300), withAway('web-3')).drop, 'touched').to.equal(undefined);
      const orphan = { ...aRun('web-9', 'prepare', 'pending', { createdAt: at(50) }), steps };
      expect(away(165, [...prepared(), orphan]).drop).to.have.length(1);
    });

    it('says of one that was away when it was its turn that it was not touched, and that it may be caught up', () => {
      const turn = aRun('web-3', 'release', 'cancelled', {
        reason: reason('host_lost', 'web-3 is away'),
        dispatchedAt: null,
      });
      const runs = [...done('web-3').filter((run) => run.host !== 'web-3' || run.phase === 'prepare'), turn];
      const { move } = given(runs, one, {}, at(400), withAway('web-3'));
      expect(move?.reason?.message).to.equal(
        'live on web-1, web-2, web-4, web-5; release on web-3: web-3 is away (was not touched)',
      );
      expect(move?.reason?.facts).to.include({ failed: 'web-3', lost: 'web-3' });
    });

    it('gives a host its way back for every attempt', () => {
      const again = [
        ...prepared(),
        bad('web-1'),
        aRun('web-1', 'undo', 'succeeded'),
        bad('web-1', { attempt: 2, finishedAt: at(30) }),
      ];
      expect(starts(given(again, one, { continuedAt: at(20) }))).to.deep.equal(['undo web-1 2']);
      const back = { status: 'rolling_back' as const, reason: RED };
      expect(starts(given(again, one, { ...back, continuedAt: at(20) }))).to.deep.equal(['undo web-1 2']);
    });

    it('goes back everywhere when it is cancelled, and lets a host that is on its way back arrive', () => {
      const undoing = [...prepared(), good('web-2'), bad('web-1'), aRun('web-1', 'undo', 'running')];
      const cancelled = { cancelRequestedBy: 'ana' };
      expect(given(undoing, one, cancelled)).to.deep.include({
        move: {
          to: 'rolling_back',
          reason: reason('cancelled', 'cancelled by ana', { facts: { by: 'ana' } }),
        },
      });
      const stopping = { ...one, onFailure: 'stop' as const };
      const broken = [...undoing, bad('web-3')];
      expect(given(broken, stopping).wait?.reason?.message).to.equal('undo on web-1 is running');
      expect(
        given([...broken.filter(({ phase }) => phase !== 'undo'), aRun('web-1', 'undo', 'failed')], stopping)
          .move?.to,
      ).to.equal('failed');
    });

    it('is done with its limit when only hosts that may fail have not the release', () => {
      const pruning = [...done('web-3', 'running'), aRun('web-3', 'undo', 'succeeded')];
      const late = given(pruning, one, {}, at(700));
      expect([late.move, late.cancel?.length]).to.deep.equal([undefined, 4]);
    });
  });

  describe('of which some must stay healthy', () => {
    const three = { minHealthy: 3, batch: [5] };

    it('makes a batch smaller, and goes on with the rest of it after it has baked', () => {
      expect(starts(given(prepared(), three))).to.deep.equal(['release web-1 1', 'release web-2 1']);
      const two = [...prepared(), good('web-1'), good('web-2', { finishedAt: at(10) })];
      const baking = { ...three, bakeMs: 30_000 };
      expect(given(two, baking, {}, at(39)).wait?.until).to.deep.equal(at(40));
      expect(starts(given(two, baking, {}, at(40)))).to.deep.equal(['release web-3 1', 'release web-4 1']);
    });

    it('counts a percentage of all hosts, rounded up', () => {
      expect(starts(given(prepared(), { ...three, minHealthy: '61%' }))).to.deep.equal(['release web-1 1']);
    });

    it('begins with what is unhealthy already, which costs nothing', () => {
      const ill = prepared().map((run) => (run.host === 'web-4' ? { ...run, unhealthy: true } : run));
      expect(starts(given(ill, { minHealthy: 4, batch: [2] }))).to.deep.equal(['release web-4 1']);
      expect(starts(given(ill, { minHealthy: 3, batch: [2] }))).to.deep.equal([
        'release web-4 1',
        'release web-1 1',
      ]);
    });

    it('takes hosts that never had a release as they come', () => {
      const fresh = prepared().map((run) => ({ ...run, previousRelease: '' }));
      expect(starts(given(fresh, three))).to.have.length(5);
    });

    it('counts who failed and is not back as not healthy', () => {
      const two = { ...three, maxFailures: 2 };
      const failed = [...prepared(), bad('web-1'), bad('web-2')];
      const stuck = [...failed, aRun('web-1', 'undo', 'failed'), aRun('web-2', 'undo', 'failed')];
      const { move } = given(stuck, two);
      expect([move?.to, move?.reason?.code]).to.deep.equal(['rolling_back', 'too_few_healthy']);
      expect(move?.reason?.message).to.equal(
        'web-3, web-4, web-5 cannot be released: 3 of 5 hosts are healthy (not: web-1, web-2) and min_healthy is 3',
      );
      const back = [...failed, aRun('web-1', 'undo', 'succeeded'), aRun('web-2', 'undo', 'failed')];
      expect(starts(given(back, two))).to.deep.equal(['release web-3 1']);
    });

    it('fails before anything is touched, the database too, when no host may be taken', () => {
      const none = { minHealthy: 5 };
      const more = { environmentConfig: anEnvironment({ database: aDatabase, rollout: aRollout(none) }) };
      const measured = prepared().map((run) => ({ ...run, migration: aState('r1', ['r2']) }));
      const { move } = given(measured, {}, more);
      expect([move?.to, move?.reason?.code]).to.deep.equal(['failed', 'too_few_healthy']);
      expect(move?.reason?.message).to.contain('5 of 5 hosts are healthy and min_healthy is 5');
      expect(given(prepared(), none).move?.to).to.equal('failed');
      const enough = anEnvironment({ database: aDatabase, rollout: aRollout(three) });
      expect(starts(given(measured, {}, { environmentConfig: enough }))).to.deep.equal(['migrate web-1 1']);
    });

    it('waits while a host that is away may be one of them, and says which', () => {
      const waiting = given(prepared(), { minHealthy: 4 }, {}, at(60), withAway('web-5'));
      expect(waiting.move).to.equal(undefined);
      expect(waiting.wait?.reason?.message).to.contain('4 of 5 hosts are healthy (not: web-5)');
    });

    it('takes one that is away only when enough others are known to be healthy', () => {
      const away = withAway('web-1');
      expect(starts(given(prepared(), { minHealthy: 4 }, {}, at(60), away))).to.deep.equal([
        'release web-1 1',
      ]);
      expect(given(prepared(), { minHealthy: 5 }, {}, at(60), away).wait?.reason?.code).to.equal(
        'too_few_healthy',
      );
    });

    it('counts the hosts of the environment that it leaves alone, too', () => {
      const plan = { rollout: aRollout({ minHealthy: 4 }) };
      const beside = deploymentOf(plan, { fleet: FIVE, hosts: ['web-1'] });
      const runs = prepared().slice(0, 1);
      const near = (hosts: readonly HostView[]) => decide({ deployment: beside, runs, hosts, now: at(60) });
      expect(starts(near(here()))).to.deep.equal(['release web-1 1']);
      expect(near(withAway('web-5')).wait?.reason?.code).to.equal('too_few_healthy');
      expect(near(here().slice(0, 4)).wait?.reason?.code, 'not enrolled any more').to.equal(
        'too_few_healthy',
      );
    });

    it('takes what it never looked at for not healthy', () => {
      const more = { minHealthy: 3, maxFailures: 1, batch: [5] };
      const unseen = aRun('web-1', 'prepare', 'failed', { previousRelease: null });
      expect(starts(given([unseen, ...prepared().slice(1)], more))).to.deep.equal(['release web-2 1']);
      const back = { status: 'rolling_back' as const, reason: RED };
      expect(starts(given([bad('web-1')], more, back))).to.deep.equal(['undo web-1 1']);
    });

    it('takes a host that was stopped, because it had no release before, for not healthy', () => {
      const first = aRun('web-1', 'prepare', 'succeeded', { previousRelease: '' });
      const stopped = [first, ...prepared().slice(1), bad('web-1'), aRun('web-1', 'undo', 'succeeded')];
      expect(starts(given(stopped, { minHealthy: 3, maxFailures: 1, batch: [5] }))).to.deep.equal([
        'release web-2 1',
      ]);
    });

    it('refuses no rollback, which goes host by host then', () => {
      expect(starts(given(prepared(), { minHealthy: 5, batch: [5] }, { kind: 'rollback' }))).to.deep.equal([
        'release web-1 1',
      ]);
      expect(starts(given(prepared(), three, { kind: 'rollback' }))).to.have.length(2);
    });

    it('goes back in the same way: no more at once than may, and at least one', () => {
      const back = { status: 'rolling_back' as const, reason: RED };
      const all = [...prepared(), ...FIVE.map((host) => (host === 'web-5' ? bad(host) : good(host)))];
      expect(starts(given(all, three, back))).to.deep.equal(['undo web-1 1', 'undo web-5 1']);
      expect(starts(given(all, { ...three, minHealthy: 4 }, back))).to.deep.equal(['undo web-5 1']);
      const held = [...all, aRun('web-5', 'undo', 'running')];
      expect(given(held, { ...three, minHealthy: 4 }, back).wait?.reason?.message).to.equal(
        'undo on web-5 is running',
      );
      const stuck = [...all, aRun('web-5', 'undo', 'failed')];
      expect(starts(given(stuck, { ...three, minHealthy: 5 }, back))).to.deep.equal(['undo web-1 1']);
    });
  });

  describe('in which order', () => {
    it('deals the batches again when hosts are unhealthy, zones kept apart', () => {
      const zones = new Map(FIVE.map((host, index) => [host, index < 3 ? 'a' : 'b']));
      const ill = prepared().map((run) => (run.host === 'web-3' ? { ...run, unhealthy: true } : run));
      const deployment = deploymentOf({ rollout: aRollout({ batch: [2] }) }, { zones });
      expect(deployment.plan?.hosts.map(({ batch }) => batch)).to.deep.equal([0, 0, 1, 2, 2]);
      expect(starts(decide({ deployment, runs: ill, hosts: here(), now: at(60) }))).to.deep.equal([
        'release web-3 1',
        'release web-1 1',
      ]);
      const older = {
        ...deployment,
        plan: { ...(deployment.plan as NonNullable<DeploymentRow['plan']>), batchSizes: [] },
      };
      expect(starts(decide({ deployment: older, runs: ill, hosts: here(), now: at(60) }))).to.deep.equal([
        'release web-1 1',
        'release web-2 1',
      ]);
    });
  });

  describe('with a limit for progress', () => {
    const quick = { progressMs: 60_000, bakeMs: 10_000 };

    it('stops when nothing succeeded for so long, beside the time in which a batch bakes', () => {
      const runs = [...prepared(), aRun('web-1', 'release', 'running')];
      expect(given(runs, quick, {}, at(72)).move).to.equal(undefined);
      const { move, cancel } = given(runs, quick, {}, at(73));
      expect([move?.to, cancel?.length]).to.deep.equal(['running', 1]);
      expect(move?.reason?.code).to.equal('no_progress');
      expect(move?.reason?.message).to.equal(
        'no host got any further for 60 s (progress_deadline), since 2026-05-01T12:00:03.000Z',
      );
    });

    it('takes no failure for progress, however late it comes', () => {
      const late = bad('web-1', { finishedAt: at(70) });
      const runs = [...prepared(), late, aRun('web-2', 'release', 'running')];
      const one = { ...quick, maxFailures: 1, batch: [2] };
      expect(given([...runs, aRun('web-1', 'undo', 'running')], one, {}, at(73)).move?.reason?.code).to.equal(
        'no_progress',
      );
    });

    it('counts from the start, and from the last continue', () => {
      const runs = FIVE.map((host) => aRun(host, 'prepare', 'running'));
      expect(given(runs, quick, {}, at(69)).move).to.equal(undefined);
      expect(given(runs, quick, {}, at(70)).move?.reason?.code).to.equal('no_progress');
      expect(given(runs, quick, { continuedAt: at(50) }, at(119)).move).to.equal(undefined);
      expect(given(runs, quick, { startedAt: null }, at(70)).move?.reason?.code).to.equal('no_progress');
    });

    it('does not count once every host has the release', () => {
      const pruning = done(null, 'running');
      expect(given(pruning, quick, {}, at(300)).cancel).to.equal(undefined);
    });
  });

  describe('paused, when somebody said what becomes of a host', () => {
    const pausing = { onFailure: 'pause' as const, batch: [2] };
    const two = () => [...prepared(), bad('web-1'), bad('web-2')];
    const paused = { status: 'paused' as const, reason: RED };

    it('waits for a word on every host that failed, and says which are left', () => {
      const { wait } = given(two(), pausing, { ...paused, answers: [answer('web-1', 'skip')] });
      expect(wait?.reason?.message).to.equal('it goes on when somebody has said what becomes of web-2');
      expect(wait?.reason?.hint).to.contain(
        'fraisier retry d_1 --host web-2 or fraisier skip d_1 --host web-2',
      );
      const all = [answer('web-1', 'skip'), answer('web-2', 'retry')];
      expect(given(two(), pausing, { ...paused, answers: all }).wait?.reason).to.equal(RED);
    });

    it('offers no more than continue where nothing failed and all was only stopped', () => {
      const stopped = [...prepared(), aRun('web-1', 'release', 'cancelled')];
      expect(given(stopped, pausing).move?.reason?.hint).to.equal('fraisier continue d_1');
    });

    it('goes on without a host that was skipped, which is taken back and does not count as failed', () => {
      const answers = [answer('web-1', 'skip'), answer('web-2', 'skip')];
      const goes = { continuedAt: at(20), answers };
      expect(starts(given(two(), pausing, goes, at(60)))).to.deep.equal(['undo web-1 1', 'undo web-2 1']);
      const back = [...two(), aRun('web-1', 'undo', 'succeeded'), aRun('web-2', 'undo', 'succeeded')];
      expect(starts(given(back, pausing, goes))).to.deep.equal(['release web-3 1', 'release web-4 1']);
    });

    it('does again where that was said, and nowhere else', () => {
      const answers = [answer('web-1', 'skip'), answer('web-2', 'retry')];
      const runs = [...two(), aRun('web-1', 'undo', 'succeeded')];
      expect(starts(given(runs, pausing, { continuedAt: at(20), answers }))).to.deep.equal([
        'release web-2 2',
      ]);
    });

    it('never prepares or releases a host that was skipped before it was prepared', () => {
      const runs = [aRun('web-1', 'prepare', 'failed'), ...prepared().slice(1)];
      const answers = [answer('web-1', 'skip')];
      expect(starts(given(runs, pausing, { continuedAt: at(20), answers }))).to.deep.equal([
        'release web-2 1',
        'release web-3 1',
      ]);
      const interrupted = [...prepared(), aRun('web-1', 'release', 'cancelled', { dispatchedAt: null })];
      expect(starts(given(interrupted, pausing, { continuedAt: at(20), answers }))).to.deep.equal([
        'release web-2 1',
      ]);
      expect(starts(given(prepared(), pausing, { continuedAt: at(20), answers }))).to.deep.equal([
        'release web-2 1',
      ]);
    });

    it('succeeds without it, and says who left it out and what became of it', () => {
      const end = (runs: readonly RunRow[], more: Partial<DeploymentRow> = {}) =>
        given(runs, {}, { answers: [answer('web-3', 'skip')], ...more }).move;
      const { to, reason: why } = end([...done('web-3'), aRun('web-3', 'undo', 'succeeded')]) ?? {};
      expect(to).to.equal('succeeded');
      expect(why).to.deep.equal(
        reason(
          'hosts_skipped',
          'live on web-1, web-2, web-4, web-5; ana skipped web-3, which is back on aaaaaaaaaaaa',
          {
            hint: 'fraisier retry d_1 --host web-3',
            facts: { skipped: 'web-3' },
          },
        ),
      );
      const untouched = done('web-3').filter(({ host, phase }) => host !== 'web-3' || phase === 'prepare');
      expect(end(untouched)?.reason?.message).to.contain('ana skipped web-3, which was not touched');
      const failedToo = [...done('web-3'), aRun('web-3', 'undo', 'succeeded')].map((run) =>
        run.host === 'web-5' && run.phase === 'prune' ? { ...run, status: 'failed' as const } : run,
      );
      expect(end(failedToo)?.reason).to.deep.include({ code: 'prune_failed' });
    });
  });

  describe('without hosts that were away', () => {
    it('succeeds with the reason, or is unchanged but for them', () => {
      const left = { hosts: FIVE.slice(0, 2), fleet: FIVE, leftOut: FIVE.slice(2) };
      const deployment = deploymentOf({}, left);
      const two = done(null).filter(({ host }) => left.hosts.includes(host));
      const { move } = decide({ deployment, runs: two, hosts: here(), now: at(60) });
      expect(move).to.deep.equal({
        to: 'succeeded',
        reason: reason(
          'agent_away',
          'live on web-1, web-2; left as they were, because they did not answer: web-3, web-4, web-5',
          {
            hint: 'fraisier retry d_1 --host web-3,web-4,web-5',
            facts: { skipped: 'web-3 web-4 web-5' },
          },
        ),
      });
      const settled = prepared()
        .slice(0, 2)
        .map((run) => ({ ...run, settled: true }));
      const unchanged = decide({ deployment, runs: settled, hosts: here(), now: at(60) }).move;
      expect(unchanged?.reason?.message).to.contain('every host but web-3, web-4, web-5, left out,');
      expect(deployment.plan?.warnings).to.include('web-3 does not answer: it is left as it is');
    });
  });
});

function given(
  runs: readonly RunRow[],
  rollout: Partial<Rollout>,
  more: Parameters<typeof aDeployment>[0] = {},
  now = at(60),
  hosts = here(),
): Decision {
  const environmentConfig = anEnvironment({ rollout: aRollout(rollout) });
  const deployment = aDeployment({ environmentConfig, hosts: FIVE, ...more });
  const situation: Situation = { deployment, runs, hosts, now };
  const first = decide(situation);
  expect(decide(situation), 'the same situation gives the same decision').to.deep.equal(first);
  return first;
}

function deploymentOf(
  more: Parameters<typeof anEnvironment>[0],
  input: Partial<Parameters<typeof makePlan>[0]> = {},
): DeploymentRow {
  const environment = anEnvironment(more);
  const plan = makePlan({ environment, commit: COMMIT, ref: 'main', hosts: FIVE, madeAt: NOON, ...input });
  return aDeployment({ plan });
}

function starts(decision: Decision): string[] {
  return (decision.start ?? []).map(({ phase, host, attempt }) => `${phase} ${host} ${attempt}`);
}

function here(): HostView[] {
  return FIVE.map((name) => ({ name, leaseExpiresAt: at(3600), validUntil: at(3600) }));
}

function withAway(host: string): HostView[] {
  return here().map((one) =>
    one.name === host ? { ...one, leaseExpiresAt: at(10), validUntil: at(10) } : one,
  );
}

function prepared(): RunRow[] {
  return FIVE.map((host) => aRun(host, 'prepare', 'succeeded'));
}

function good(host: string, more: Partial<RunRow> = {}): RunRow {
  return aRun(host, 'release', 'succeeded', more);
}

function bad(host: string, more: Partial<RunRow> = {}): RunRow {
  return aRun(host, 'release', 'failed', { reason: RED, ...more });
}

/** Released everywhere, but where it failed, and pruned. */
function done(failed: string | null, pruning: RunRow['status'] = 'succeeded'): RunRow[] {
  const released = FIVE.map((host) => (host === failed ? bad(host) : good(host)));
  const pruned = FIVE.filter((host) => host !== failed).map((host) => aRun(host, 'prune', pruning));
  return [...prepared(), ...released, ...pruned];
}

function answer(host: string, act: Answer['act']): Answer {
  return { host, act, by: 'ana', wasAway: false };
}
