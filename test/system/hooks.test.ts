import { existsSync } from 'node:fs';
import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'chai';
import { HOOK_POINTS, type HookPoint } from '../../controller/fraises/fraises.js';
import type { Cluster } from '../support/cluster.js';
import { startCluster } from '../support/cluster.js';
import { processesBelow } from '../support/leftovers.js';
import { until } from '../support/until.js';
import { ended, push, SECRET, steps, type Shown } from './deploying.js';
import { gatedService, type GatedService } from './gated-service.js';

/** Writes down where it was called and for which release; fails or waits where a file beside it says so. */
const HOOK = `#!/bin/sh
folder=$1
echo "$FRAISIER_HOOK $FRAISIER_COMMIT $CHANNEL $(pwd -P)" >>"$folder/hooks.log"
if [ -e "$folder/$FRAISIER_HOOK.held" ]; then : >"$folder/$FRAISIER_HOOK.entered"; fi
while [ -e "$folder/$FRAISIER_HOOK.held" ]; do sleep 0.02; done
if [ -e "$folder/$FRAISIER_HOOK.fails" ]; then echo "$FRAISIER_HOOK says no"; exit 9; fi
`;

describe('the hooks of a deployment, with real processes', function () {
  this.timeout(120_000);
  let cluster: Cluster;
  let gated: GatedService;
  let live: string;

  before(async () => {
    cluster = await startCluster({ onTestServer: true, environment: { GITHUB_WEBHOOK_SECRET: SECRET } });
    await writeFile(join(cluster.folder, 'hook.sh'), HOOK);
    const hook = `{ command: [sh, ${join(cluster.folder, 'hook.sh')}, ${cluster.folder}], environment: { CHANNEL: '#ops' } }`;
    gated = await gatedService(cluster, ['hooks:', ...HOOK_POINTS.map((point) => `  ${point}: ${hook}`)]);
    await cluster.apply(gated.configuration);
  });

  after(async () => {
    await gated.service.stop();
    await cluster.stop();
  });

  beforeEach(async () => {
    await gated.reset();
    for (const point of HOOK_POINTS)
      for (const mark of ['held', 'entered', 'fails']) await rm(file(`${point}.${mark}`), { force: true });
    await rm(file('hooks.log'), { force: true });
  });

  it('are all called in their order, once, with what they need to know', async () => {
    const shown = await deploy('every hook');
    expect(shown.status, JSON.stringify(shown.reason)).to.equal('succeeded');
    live = shown.commit;
    const release = join(gated.service.appPath, 'releases', live);
    const place = (point: string) => (point === 'before_deploy' ? gated.service.appPath : release);
    const points = HOOK_POINTS.filter((point) => !point.startsWith('on_'));
    expect(await called()).to.deep.equal(points.map((point) => `${point} ${live} #ops ${place(point)}`));
  });

  it('that fails in a release takes it back, and those of going back run, whatever becomes of them', async () => {
    await fails('after_restart');
    await fails('on_failure');
    const shown = await deploy('a hook that says no');
    expect([shown.status, shown.reason?.code]).to.deep.equal(['rolled_back', 'hook_failed']);
    expect(shown.reason?.message).to.contain('the hook after_restart').and.contain('after_restart says no');
    expect((await calledIn(shown.commit)).slice(-3)).to.deep.equal([
      'before_restart',
      'after_restart',
      'on_failure',
    ]);
    expect(await calledIn(live)).to.deep.equal(['before_restart', 'after_restart', 'on_rollback']);
    expect(steps(shown)).to.include.members([
      'release hook_after_restart failed 1',
      'release health skipped 0',
      'undo hook_on_failure failed 1',
      'undo hook_after_restart failed 1',
      'undo hook_on_rollback succeeded 1',
    ]);
    expect(shown.hosts.map(({ status }) => status)).to.deep.equal(['succeeded']);
    expect((await gated.service.answer()).commit).to.equal(live);
  });

  it('that fails after the migration takes the migration back, and nothing is released', async () => {
    const before = await database();
    await fails('after_migrate');
    const shown = await deploy('migrated, and then a hook says no');
    expect(shown.reason?.code).to.equal('hook_failed');
    expect(shown.status).to.equal('rolled_back');
    expect(await gated.begun('migrate')).to.equal(1);
    expect(await database()).to.equal(before);
    expect(await calledIn(shown.commit)).to.deep.equal(['before_deploy', 'before_migrate', 'after_migrate']);
    expect((await gated.service.answer()).commit).to.equal(live);
  });

  it('whose outcome is not known is never called twice: the host goes back', async () => {
    await writeFile(file('before_activate.held'), '');
    const id = await push(cluster, gated.service.repository, await gated.commit('a hook that dies'));
    await until('the hook to be called', () => existsSync(file('before_activate.entered')), { everyMs: 20 });
    await cluster.agent('web-1').kill9();
    for (const { argv, pid } of await processesBelow(cluster.folder))
      if (argv.includes('hook.sh')) process.kill(pid, 'SIGKILL');
    await cluster.agent('web-1').start();
    const shown = await ended(cluster, id);
    expect(steps(shown)).to.include('release hook_before_activate interrupted 1');
    expect(shown.status, JSON.stringify(shown.reason)).to.equal('rolled_back');
    expect((await calledIn(shown.commit)).filter((point) => point === 'before_activate')).to.have.length(1);
    expect((await gated.service.answer()).commit).to.equal(live);
  });

  const file = (name: string): string => join(cluster.folder, name);
  const fails = (point: HookPoint): Promise<void> => writeFile(file(`${point}.fails`), '');
  const database = (): Promise<string> => readFile(file('gates/database'), 'utf8');

  async function deploy(message: string): Promise<Shown> {
    return ended(cluster, await push(cluster, gated.service.repository, await gated.commit(message)));
  }

  async function called(): Promise<readonly string[]> {
    return (await readFile(file('hooks.log'), 'utf8')).trim().split('\n');
  }

  /** The hooks that were called for this release, in their order. */
  async function calledIn(commit: string): Promise<readonly string[]> {
    return (await called())
      .filter((line) => line.includes(` ${commit} `))
      .map((line) => line.split(' ')[0] ?? '');
  }
});
