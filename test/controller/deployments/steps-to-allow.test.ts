import { expect } from 'chai';
import { makePlan } from '../../../controller/deployments/plan.js';
import { latestRuns } from '../../../controller/deployments/runs-of-deployment.js';
import { stepsOfRun } from '../../../controller/deployments/steps-of-run.js';
import { stepsToAllow } from '../../../controller/deployments/steps-to-allow.js';
import { anEnvironment, aDatabase, COMMIT } from '../../support/builders.js';

const HOSTS = ['web-1', 'web-2'];
const plan = (more: Parameters<typeof anEnvironment>[0] = { database: aDatabase }) =>
  makePlan({
    environment: anEnvironment(more),
    commit: COMMIT,
    ref: 'main',
    hosts: HOSTS,
    madeAt: new Date(0),
  });

describe('what a policy is asked beforehand', () => {
  it('is every step of every phase, and of the way back', () => {
    const kinds = new Set(stepsToAllow(plan(), 'web-1').map(({ action }) => action?.$case));
    expect([...kinds]).to.include.members([
      'preflight',
      'fetch',
      'stage',
      'activate',
      'restart',
      'health',
      'prune',
    ]);
    expect([...kinds]).to.include.members(['migrate', 'migrationStatus']);
  });

  it('is no migration on a host that does not migrate', () => {
    const kinds = stepsToAllow(plan(), 'web-2').map(({ action }) => action?.$case);
    expect(kinds).not.to.include('migrate');
    expect(kinds).not.to.include('migrationStatus');
  });

  it('is no migration where there is no database', () => {
    const kinds = stepsToAllow(plan({ database: null }), 'web-1').map(({ action }) => action?.$case);
    expect(kinds).not.to.include('migrate');
  });

  it('goes with the preflight of prepare, so that nothing is touched when something later is refused', () => {
    const [preflight] = stepsOfRun(plan(), 'web-1', 'prepare', latestRuns([])).steps;
    const later = preflight?.action?.$case === 'preflight' ? preflight.action.value.later : [];
    expect(later.map(({ name }) => name)).to.include.members([
      'activate',
      'restart',
      'migrate',
      'migrate_down',
    ]);
    expect(later.map(({ name }) => name)).not.to.include('preflight');
  });
});
