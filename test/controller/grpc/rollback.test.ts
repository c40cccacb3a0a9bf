import { expect } from 'chai';
import { makePlan } from '../../../controller/deployments/plan.js';
import { anEnvironment, COMMIT } from '../../support/builders.js';
import { SAMPLE_CONFIGURATION } from '../../support/memory-edges.js';
import { refused } from '../../support/refused.js';
import { newDeployment } from '../db/samples.js';
import { withCallers, type CallersLab } from './callers-lab.js';

const WHERE = { fraise: 'checkout', environment: 'production' };
const BACK = { ...WHERE, to: '', codeOnly: false, skipUnreachable: false, trigger: 'api', requestId: '' };

describe('locks and rollbacks over the wire', () => {
  it('a lock is placed, told, kept against a deploy, and lifted', () =>
    withCallers(async (lab) => {
      await configured(lab);
      const [deployer, viewer] = [await lab.as('deployer'), await lab.as('viewer')];
      const lock = await deployer.ask('lockFraise', { ...WHERE, reason: 'a sale', forMs: 60_000 });
      expect(lock).to.deep.include({ ...WHERE, owner: 'a deployer', reason: 'a sale' });
      expect(Number(lock.expiresAt) - Number(lock.lockedAt)).to.equal(60_000);
      expect((await viewer.ask('listLocks', {})).locks).to.deep.equal([lock]);
      const { environments } = await viewer.ask('getStatus', WHERE);
      expect(environments[0]).to.deep.include({ lock, layout: 'releases' });
      const request = {
        ...WHERE,
        commit: COMMIT,
        branch: '',
        force: false,
        hosts: [],
        skipUnreachable: false,
        trigger: 'cli',
        requestId: '',
      };
      const why = await refused(deployer.ask('requestDeployment', request));
      expect([why.code, why.hint]).to.deep.equal(['locked', 'fraisier unlock checkout production']);
      expect(await lab.local.ask('unlockFraise', WHERE)).to.deep.equal(lock);
      expect((await refused(lab.local.ask('unlockFraise', WHERE))).code).to.equal('unknown_lock');
      const forever = await deployer.ask('lockFraise', { ...WHERE, reason: 'x', forMs: 0 });
      expect(forever.expiresAt).to.equal(undefined);
    }));

  it('a rollback undoes what is running, after a preview that says so', () =>
    withCallers(async (lab) => {
      await configured(lab);
      const { ledger } = lab.edges;
      const { id } = await ledger.insertDeployment(newDeployment());
      const madeAt = new Date();
      const plan = makePlan({
        environment: anEnvironment(),
        commit: COMMIT,
        ref: '',
        hosts: ['web-1'],
        madeAt,
      });
      await ledger.moveDeployment(id, 'queued', 'running', { started: true, plan });
      const deployer = await lab.as('deployer');
      expect(await deployer.ask('previewRollback', BACK)).to.include({ kind: 'rollback', undoes: id });
      expect((await deployer.ask('requestRollback', BACK)).id).to.equal(id);
      expect((await ledger.deployment(id))?.cancelRequestedBy).to.equal('a deployer');
      expect((await ledger.lockOn('checkout', 'production'))?.owner).to.equal('a deployer');
    }));
});

async function configured({ local }: CallersLab): Promise<void> {
  await local.ask('applyConfiguration', {
    text: SAMPLE_CONFIGURATION,
    fileName: 'fraises.yaml',
    dryRun: false,
  });
}
