import { expect } from 'chai';
import { statusBlocks } from '../../cli/views/status.js';
import { lockTable } from '../../cli/views/locks.js';
import { planFromHosts } from '../../cli/views/preview.js';
import { aDesk, type Desk } from './desk.js';
import * as answers from './fake-answers.js';
import { aDeployment, changed, PLAIN, SHA } from './samples.js';

describe('fraisier rollback, lock and unlock', () => {
  let desk: Desk;
  before(async () => {
    desk = await aDesk();
    const end = { kind: 'rollback', status: 'succeeded' };
    desk.controller.stories.set('checkout', { events: [changed(2, end)], end });
    desk.controller.stories.set('flaky', { events: [changed(2, end)], end });
  });
  after(() => desk.clear());

  const heard = (): unknown => desk.controller.heard.at(-1);

  it('asks for a rollback, follows it to its end, and ends with 0 when it is back', async () => {
    const argv = [
      'rollback',
      'checkout',
      'production',
      '--to',
      'd_7',
      '--code-only',
      '--skip-unreachable',
      '--json',
    ];
    const { code, stdout } = await desk.fraisier(argv);
    expect([code, (JSON.parse(stdout) as { status: string }).status]).to.deep.equal([0, 'succeeded']);
    const asked = desk.controller.heard.find(({ method }) => method === 'requestRollback')?.request;
    expect(asked).to.deep.include({
      fraise: 'checkout',
      to: 'd_7',
      codeOnly: true,
      skipUnreachable: true,
      trigger: 'cli',
    });
  });

  it('leaves it to itself with --no-wait', async () => {
    const { code, stdout } = await desk.fraisier(['rollback', 'checkout', 'production', '--no-wait']);
    expect(code).to.equal(0);
    expect(stdout).to.match(/next: fraisier watch d_checkout_/);
  });

  it('asks again under the same id when the answer gets lost', async () => {
    desk.controller.answersToLose = 1;
    const before = desk.controller.requests.length;
    expect((await desk.fraisier(['rollback', 'flaky', 'production', '--no-wait'])).code).to.equal(0);
    const ids = desk.controller.requests.slice(before).map(({ requestId }) => requestId);
    expect([ids.length, new Set(ids).size]).to.deep.equal([2, 1]);
  });

  it('ends with 4 and the reason when there is nothing to go back to', async () => {
    const { code, stderr } = await desk.fraisier(['rollback', 'checkout', 'production', '--to', 'd_none']);
    expect([code, stderr]).to.deep.equal([
      4,
      'error: there is no good release before the one that is live\n',
    ]);
  });

  it('shows the plan with --dry-run', async () => {
    const { code, stdout } = await desk.fraisier(['rollback', 'checkout', 'production', '--dry-run']);
    expect(code).to.equal(0);
    expect(stdout).to.equal(
      'plan: checkout → production  3f2c1ab  (rollback from 9a1b2c3)\nthen the database goes down, on web-1: 003_orders, 002_carts\n',
    );
    expect((heard() as { method: string }).method).to.equal('previewRollback');
  });

  it('says what a dry run leaves alone, and what it would undo', () => {
    const request = {
      fraise: 'a',
      environment: 'b',
      to: '',
      codeOnly: false,
      skipUnreachable: false,
      trigger: '',
      requestId: '',
    };
    const plan = (more: object) => planFromHosts(answers.previewRollback({ ...request, ...more }), PLAIN);
    expect(plan({ codeOnly: true })).to.contain('the database is left as it is (--code-only)');
    expect(plan({ to: 'd_running' })).to.equal('plan: d_running would be undone, and the fraise locked\n');
    const untouched = { ...answers.previewRollback({ ...request, codeOnly: true }), rollback: undefined };
    expect(planFromHosts(untouched, PLAIN)).to.contain('the database stays as it is');
  });

  it('locks with a reason and an end, and says how to unlock', async () => {
    const { code, stdout } = await desk.fraisier([
      'lock',
      'checkout',
      'production',
      '-m',
      'a sale',
      '--for',
      '2h',
    ]);
    expect(code).to.equal(0);
    expect(stdout).to.equal(
      'checkout → production  locked by ann until 2026-11-23 14:00:00Z: a sale\nnext: fraisier unlock checkout production\n',
    );
    expect((heard() as { request: unknown }).request).to.deep.include({ reason: 'a sale', forMs: 7_200_000 });
    expect((await desk.fraisier(['lock', 'checkout', 'production'])).code).to.equal(2);
    expect(
      (await desk.fraisier(['lock', 'checkout', 'production', '-m', 'x', '--for', 'long'])).code,
    ).to.equal(2);
    const forever = await desk.fraisier(['lock', 'checkout', 'production', '-m', 'x']);
    expect(forever.stdout).to.contain('locked by ann until it is unlocked: x');
  });

  it('unlocks, and ends with 2 where there is no lock', async () => {
    expect((await desk.fraisier(['unlock', 'checkout', 'production'])).stdout).to.equal(
      'checkout → production  unlocked (it was locked by ann: a freeze for the sale)\n',
    );
    const { code, stderr } = await desk.fraisier(['unlock', 'free', 'production']);
    expect([code, stderr]).to.deep.equal([2, 'error: free production is not locked\nnext: fraisier locks\n']);
  });

  it('lists the locks', async () => {
    const { stdout } = await desk.fraisier(['locks', '--json']);
    expect((JSON.parse(stdout) as { locks: object[] }).locks[0]).to.deep.equal({
      fraise: 'checkout',
      environment: 'production',
      owner: 'ann',
      reason: 'a freeze for the sale',
      locked_at: '2026-11-23T11:00:00.000Z',
      expires_at: '2026-11-23T14:00:00.000Z',
    });
    expect(lockTable(answers.listLocks(), PLAIN)).to.equal(
      [
        'fraise    environment  by   since   until                 why',
        'checkout  production   ann  1h ago  2026-11-23 14:00:00Z  a freeze for the sale',
        'checkout  staging      bob  1h ago  unlocked              a freeze for the sale',
        '',
      ].join('\n'),
    );
    expect(lockTable({ locks: [] }, PLAIN)).to.equal('nothing is locked\n');
    expect((await desk.fraisier(['locks'])).code).to.equal(0);
  });

  it('shows a host without anything kept or timed as it did', () => {
    const { environments } = answers.getStatus({ fraise: '', environment: '' });
    const [one] = environments;
    const bare = {
      ...one,
      lock: undefined,
      unfinished: [],
      last: undefined,
      hosts: (one?.hosts ?? []).slice(1),
    };
    expect(statusBlocks({ environments: [bare as never] }, PLAIN)).to.not.contain('keeps');
    expect(aDeployment().commit).to.equal(SHA);
  });

  it('an empty token is a mistake of whoever typed the command', async () => {
    const { code, stderr } = await desk.fraisier(['login', desk.controller.address], {
      environment: { FRAISIER_TOKEN: '  ' },
    });
    expect([code, stderr.split('\n')[0]]).to.deep.equal([2, 'error: the token is empty']);
  });
});
