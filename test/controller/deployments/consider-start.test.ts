import { expect } from 'chai';
import { considerStart, type Queue } from '../../../controller/deployments/consider-start.js';
import { selectHosts } from '../../../controller/deployments/select-hosts.js';
import type { DeploymentRow } from '../../../controller/deployments/ledger/deployment.js';
import { reason } from '../../../controller/deployments/reason.js';
import type { Environment } from '../../../controller/fraises/fraises.js';
import { Rollback } from '../../../proto/gen/fraisier/v1/plan.js';
import {
  aConfiguration,
  aDatabase,
  aDeployment,
  anAgent,
  anEnvironment,
  aRollout,
  at,
} from '../../support/builders.js';

const QUEUED = { status: 'queued' as const, plan: null, startedAt: null };
const WEB_1 = anAgent('web-1', { labels: { role: 'web' } });
const AGENTS = [WEB_1, anAgent('web-2', { labels: { role: 'web' } })];

describe('a queued deployment', () => {
  it('starts with a plan for its hosts when nothing is before it', () => {
    const decision = consider({});
    expect('start' in decision && decision.start.hosts.map((host) => host.host)).to.deep.equal([
      'web-1',
      'web-2',
    ]);
  });

  it('starts on the hosts it was asked for only', () => {
    const decision = consider({ onlyHosts: ['web-2'] });
    expect('start' in decision && decision.start.hosts.map((host) => host.host)).to.deep.equal(['web-2']);
  });

  it('waits for the one that is running, and says which', () => {
    const running = aDeployment({ id: 'd_0', status: 'paused' });
    const decision = consider({}, { unfinished: [running, queued({})] });
    expect('wait' in decision && decision.wait).to.deep.include({
      code: 'deployment_running',
      hint: 'fraisier watch d_0',
    });
  });

  it('waits for those queued before it, but a rollback goes ahead', () => {
    const older = queued({ id: 'd_0' });
    expect(consider({}, { unfinished: [older, queued({})] })).to.have.property('wait');
    expect(
      consider({ kind: 'rollback' }, { unfinished: [older, queued({ kind: 'rollback' })] }),
    ).to.have.property('start');
    expect(consider({}, { unfinished: [] })).to.have.property('start');
  });

  it('never starts once cancelled', () => {
    expect(consider({ cancelRequestedBy: 'ana' })).to.deep.include({ end: 'cancelled' });
  });

  it('fails when its configuration is not understood, once it is its turn, and is cancelled before that', () => {
    const configured = { notUnderstood: reason('invalid_configuration', 'fraises.yaml:1:1: nonsense') };
    expect(consider({}, { configured })).to.deep.equal({ end: 'failed', reason: configured.notUnderstood });
    expect(consider({}, { configured, unfinished: [queued({ id: 'd_0' })] })).to.have.property('wait');
    expect(consider({ cancelRequestedBy: 'ana' }, { configured })).to.deep.include({ end: 'cancelled' });
  });

  it('waits for hosts that are away and says since when', () => {
    const gone = anAgent('web-2', { leaseExpiresAt: at(-60) });
    const decision = consider({}, { agents: [WEB_1, gone] });
    expect('wait' in decision && decision.wait.message).to.equal(
      `the agent on web-2 is not connected (away since ${at(-60).toISOString()})`,
    );
    const never = anAgent('web-2', { leaseExpiresAt: null, lastSeenAt: null });
    const waiting = consider({}, { agents: [WEB_1, never] });
    expect('wait' in waiting && waiting.wait.message).to.contain('it has never connected');
    const seen = consider({}, { agents: [WEB_1, anAgent('web-2', { leaseExpiresAt: null })] });
    expect('wait' in seen && seen.wait.message).to.contain('away since');
  });

  it('leaves hosts that are away out when it was told to, and keeps who they are and whom they stand beside', () => {
    const gone = anAgent('web-2', { leaseExpiresAt: at(-60) });
    const start = (more: Partial<DeploymentRow>, queue: Partial<Queue> = {}) => {
      const decision = consider({ skipUnreachable: true, ...more }, { agents: [WEB_1, gone], ...queue });
      return 'start' in decision ? decision.start : decision;
    };
    expect(start({})).to.deep.include({ leftOut: ['web-2'], beside: ['web-2'] });
    expect(start({}, { agents: AGENTS })).to.deep.include({ leftOut: [], beside: [] });
    expect(start({ onlyHosts: ['web-1'] })).to.deep.include({ leftOut: [], beside: ['web-2'] });
    expect(start({ onlyHosts: ['web-2'] }), 'nobody would be left').to.have.property('wait');
    const environment = anEnvironment({ database: { ...aDatabase, on: 'web-2' } });
    const configured = { configuration: aConfiguration(environment), environment };
    expect(start({}, { configured }), 'it migrates').to.have.property('wait');
  });

  it('brings hosts up to date without a migration, and does not wait for one that is away again', () => {
    const catching = { kind: 'retry' as const, trigger: 'schedule' as const, requestedBy: 'controller' };
    const environment = anEnvironment({ database: { ...aDatabase, on: 'web-1' } });
    const configured = { configuration: aConfiguration(environment), environment };
    const decision = consider({ ...catching, onlyHosts: ['web-2'] }, { configured });
    expect('start' in decision && decision.start).to.deep.include({ catchesUp: true, migratingHost: '' });
    const gone = anAgent('web-2', { leaseExpiresAt: at(-60) });
    const away = consider({ ...catching, onlyHosts: ['web-2'] }, { configured, agents: [WEB_1, gone] });
    expect('end' in away && [away.end, away.reason.code]).to.deep.equal(['cancelled', 'agent_away']);
    expect(
      code(consider({ kind: 'retry', trigger: 'schedule', onlyHosts: ['web-2'] }, { configured })),
    ).to.equal('unknown_host');
  });

  it('asks hosts whether they have anything to do, unless it was to be done again in any case', () => {
    const asks = (more: Partial<DeploymentRow>) => {
      const decision = consider(more);
      const steps = 'start' in decision ? (decision.start.phases[0]?.steps ?? []) : [];
      return steps.some(({ action }) => action?.$case === 'preflight' && action.value.settle);
    };
    expect(asks({})).to.equal(true);
    for (const more of [{ kind: 'retry' }, { kind: 'rollback' }, { force: true }] as const)
      expect(asks(more)).to.equal(false);
  });

  it('fails when the host that migrates is left out', () => {
    const queue = (strategy: 'apply' | 'none') => {
      const environment = anEnvironment({ database: { ...aDatabase, strategy, on: 'web-1' } });
      return { configured: { configuration: aConfiguration(environment), environment } };
    };
    expect(code(consider({ onlyHosts: ['web-2'] }, queue('apply')))).to.equal('unknown_host');
    expect(consider({ onlyHosts: ['web-1'] }, queue('apply'))).to.have.property('start');
    expect(consider({ onlyHosts: ['web-2'] }, queue('none'))).to.have.property('start');
    const rollback = Rollback.fromPartial({ skipped: ['web-1'] });
    const back = consider({ kind: 'rollback', onlyHosts: ['web-2'], rollback }, queue('apply'));
    expect('start' in back && [back.start.hosts.length, back.start.migratingHost]).to.deep.equal([1, '']);
  });

  it('fails when a host it names has never enrolled, is revoked, or is foreign', () => {
    expect(code(consider({}, { agents: [WEB_1] }))).to.equal('unknown_host');
    expect(code(consider({}, { agents: [WEB_1, anAgent('web-2', { revokedAt: at(0) })] }))).to.equal(
      'unknown_host',
    );
    expect(code(consider({ onlyHosts: ['db-1'] }))).to.equal('unknown_host');
  });
});

describe('the hosts of an environment', () => {
  it('are found by labels of enrolment and of the configuration together', () => {
    const environment = anEnvironment({ hosts: { by: 'label', labels: { role: 'web', zone: 'a' } } });
    const configuration = { ...aConfiguration(environment), hosts: { 'web-2': { labels: { zone: 'a' } } } };
    expect(selectHosts({ environment, configuration, agents: AGENTS }, [])).to.deep.equal(['web-2']);
  });

  it('are released zone by zone: those named first, the others by name, hosts without one last', () => {
    const inZone = (name: string, zone: string) =>
      anAgent(name, { labels: { role: 'web', ...(zone === '' ? {} : { zone }) } });
    const agents = [
      inZone('h1', 'b'),
      inZone('h2', ''),
      inZone('h3', 'a'),
      inZone('h4', 'c'),
      inZone('h5', 'a'),
    ];
    const order = (zones: readonly string[], hosts: Environment['hosts']) =>
      select(anEnvironment({ hosts, rollout: aRollout({ zones }) }), agents);
    const label = { by: 'label', labels: { role: 'web' } } as const;
    expect(order([], label)).to.deep.equal(['h3', 'h5', 'h1', 'h4', 'h2']);
    expect(order(['c', 'z'], label)).to.deep.equal(['h4', 'h3', 'h5', 'h1', 'h2']);
    expect(order([], { by: 'name', names: ['h5', 'h2', 'h1', 'h3'] })).to.deep.equal([
      'h5',
      'h3',
      'h1',
      'h2',
    ]);
  });

  it('are in batches of one zone each, unless all are released at once', () => {
    const zoned = ['a', 'b', 'b'].map((zone, at) =>
      anAgent(`web-${at + 1}`, { labels: { role: 'web', zone } }),
    );
    const batches = (strategy: 'rolling' | 'all_at_once') => {
      const hosts = { by: 'label', labels: { role: 'web' } } as const;
      const environment = anEnvironment({ hosts, rollout: aRollout({ strategy, batch: [2] }) });
      const configured = { configuration: aConfiguration(environment), environment };
      const decision = consider({}, { configured, agents: zoned });
      return 'start' in decision && decision.start.hosts.map(({ batch, zone }) => `${batch}${zone}`);
    };
    expect(batches('rolling')).to.deep.equal(['0a', '1b', '1b']);
    expect(batches('all_at_once')).to.deep.equal(['0', '0', '0']);
  });

  it('are none, with the labels named, when no agent has them', () => {
    const environment = anEnvironment({ hosts: { by: 'label', labels: { role: 'db' } } });
    expect(select(environment, AGENTS)).to.include({
      code: 'no_hosts',
      message: 'checkout production has no host: no enrolled agent has the labels role=db',
    });
  });

  it('are the only enrolled agent when none are named', () => {
    const environment = anEnvironment({ hosts: { by: 'any' } });
    expect(select(environment, [WEB_1])).to.deep.equal(['web-1']);
    expect(select(environment, [])).to.include({
      message: 'checkout production has no host: no agent has enrolled',
    });
    expect(select(environment, AGENTS))
      .to.have.property('message')
      .that.contains('several agents (web-1, web-2)');
  });
});

function queued(more: Partial<DeploymentRow>): DeploymentRow {
  return aDeployment({ ...QUEUED, ...more });
}

function consider(
  more: Partial<DeploymentRow>,
  queue: Partial<Queue> = {},
): ReturnType<typeof considerStart> {
  const deployment = queued(more);
  const environment = anEnvironment();
  const rest = {
    unfinished: [deployment],
    lock: null,
    agents: AGENTS,
    configured: { configuration: aConfiguration(environment), environment },
    now: at(0),
  };
  return considerStart(deployment, { ...rest, ...queue });
}

function code(decision: ReturnType<typeof considerStart>): string | undefined {
  return 'end' in decision ? decision.reason.code : undefined;
}

function select(environment: Environment, agents: typeof AGENTS): unknown {
  return selectHosts({ environment, configuration: aConfiguration(environment), agents }, []);
}
