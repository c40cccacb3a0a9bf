import { expect } from 'chai';
import { health, healthOfRelease } from '../../../controller/recipes/health.js';
import type { Check, HealthCheck } from '../../../controller/fraises/fraises.js';
import { HealthProbe } from '../../../proto/gen/fraisier/v1/plan.js';
import type { Health } from '../../../proto/gen/fraisier/v1/plan.js';
import { aHealthCheck, anHttpCheck, COMMIT, PREVIOUS } from '../../support/builders.js';

const LOOK_MS = 5000;
const SLACK_MS = 10_000;

const tcp: Check = { by: 'tcp', host: '127.0.0.1', port: 80, timeoutMs: LOOK_MS };
const command: Check = { by: 'command', command: { argv: ['true'] }, user: 'me', timeoutMs: LOOK_MS };

function specOf(more: Partial<HealthCheck> = {}): Health {
  const action = health(aHealthCheck(more), COMMIT)[0]?.action;
  return action?.$case === 'health' ? action.value : expect.fail('there is no health step');
}

function longest(more: Partial<HealthCheck>): number | undefined {
  return health(aHealthCheck(more), COMMIT)[0]?.timeoutMs;
}

describe('the health step', () => {
  it('is none without a check', () => {
    expect(health(null, COMMIT)).to.deep.equal([]);
  });

  it('tells the agent when to look and at what, and may be done again', () => {
    const [step] = health(aHealthCheck(), COMMIT);
    expect(step).to.include({ name: 'health', repeatable: true });
    const times = { backoff: 2, maxDelayMs: 9000, startGraceMs: 1, stableForMs: 2, deadlineMs: 3 };
    expect(specOf(times)).to.deep.include({
      attempts: 10,
      delayMs: 3000,
      backoffFactor: 2,
      maxDelayMs: 9000,
      startGraceMs: 1,
      stableForMs: 2,
      deadlineMs: 3,
      commit: COMMIT,
    });
    expect(specOf().deadlineMs).to.equal(0);
  });

  it('asks each kind by its name', () => {
    const checks: readonly Check[] = [
      anHttpCheck({
        json: { a: '1' },
        body: 'b',
        headers: { X: '${Y}' },
        tls: { caFile: '/ca', serverName: 's', insecure: true },
      }),
      anHttpCheck({ versionField: null }),
      tcp,
      { ...tcp, host: '::1' },
      command,
      { ...command, command: { shell: `exit  ${'0'.repeat(80)}` }, user: null },
      { by: 'unit', unit: 'a.service', timeoutMs: LOOK_MS },
      { by: 'timers', timeoutMs: LOOK_MS },
    ];
    const { probes } = specOf({ checks });
    expect(probes.map(({ name }) => name)).to.deep.equal([
      'http://127.0.0.1:8000/health',
      'http://127.0.0.1:8000/health',
      'tcp 127.0.0.1:80',
      'tcp [::1]:80',
      'command true',
      `command exit ${'0'.repeat(54)}…`,
      'a.service',
      'timers',
    ]);
    expect(probes.every(({ timeoutMs }) => timeoutMs === LOOK_MS)).to.equal(true);
    expect(probes[0]?.look?.value).to.deep.equal({
      url: 'http://127.0.0.1:8000/health',
      expectStatuses: [200],
      jsonEquals: { a: '1' },
      bodyContains: 'b',
      headers: { X: '${Y}' },
      versionField: 'commit',
      expectVersion: COMMIT,
      tlsCaFile: '/ca',
      tlsServerName: 's',
      tlsInsecure: true,
    });
    expect(probes[1]?.look?.value).to.deep.include({ versionField: '', expectVersion: '', tlsCaFile: '' });
    expect(probes[3]?.look).to.deep.equal({ $case: 'tcp', value: { host: '::1', port: 80 } });
    expect(probes[4]?.look?.value).to.deep.include({ argv: ['true'], user: 'me', commit: COMMIT });
    expect(probes[6]?.look).to.deep.equal({ $case: 'unit', value: { unit: 'a.service' } });
    expect(probes[7]?.look).to.deep.equal({ $case: 'timers', value: {} });
  });
});

describe('the time that the health step may take', () => {
  it('is that of every attempt and the pauses between them', () => {
    expect(longest({})).to.equal(10 * LOOK_MS + 9 * 3000 + SLACK_MS);
    expect(longest({ attempts: 1 })).to.equal(LOOK_MS + SLACK_MS);
  });

  it('grows with the back-off up to its limit, the grace, and each attempt that may nearly hold', () => {
    const backoff = { attempts: 5, delayMs: 1000, backoff: 2, maxDelayMs: 3000 };
    expect(longest(backoff)).to.equal(5 * LOOK_MS + 1000 + 2000 + 3000 + 3000 + SLACK_MS);
    expect(longest({ attempts: 1, startGraceMs: 7000 })).to.equal(7000 + LOOK_MS + SLACK_MS);
    expect(longest({ attempts: 2, stableForMs: 8000 })).to.equal(2 * (2 * LOOK_MS + 8000) + 3000 + SLACK_MS);
  });

  it('counts commands one after the other and the others together, eight at once', () => {
    const some = (check: Check, count: number): readonly Check[] =>
      Array.from({ length: count }, () => check);
    expect(longest({ attempts: 1, checks: [...some(tcp, 7), { ...tcp, timeoutMs: 9000 }] })).to.equal(
      9000 + SLACK_MS,
    );
    expect(longest({ attempts: 1, checks: some(tcp, 9) })).to.equal(2 * LOOK_MS + SLACK_MS);
    expect(longest({ attempts: 1, checks: [tcp, ...some(command, 2)] })).to.equal(
      2 * (LOOK_MS + 10_000) + 10_000 + SLACK_MS,
    );
  });

  it('ends with the deadline, and with the longest deployment', () => {
    expect(longest({ deadlineMs: 20_000 })).to.equal(20_000 + SLACK_MS);
    expect(longest({ attempts: 1, deadlineMs: 3_600_000 })).to.equal(LOOK_MS + SLACK_MS);
    expect(longest({ attempts: 1000, stableForMs: 7 * 24 * 3_600_000 })).to.equal(7 * 24 * 3_600_000);
  });
});

describe('the health of the release gone back to', () => {
  it('is asked for its own version, and by commands in its own tree', () => {
    const checks = [anHttpCheck(), anHttpCheck({ versionField: null }), command, tcp];
    const back = healthOfRelease(specOf({ checks }), PREVIOUS);
    expect(back.commit).to.equal(PREVIOUS);
    expect(back.probes[0]?.look?.value).to.include({ expectVersion: PREVIOUS });
    expect(back.probes[1]?.look?.value).to.include({ expectVersion: '' });
    expect(back.probes[2]?.look?.value).to.include({ commit: PREVIOUS });
    expect(back.probes[3]).to.deep.equal(specOf({ checks }).probes[3]);
    const unknown = HealthProbe.fromPartial({ name: 'new' });
    expect(healthOfRelease({ ...back, probes: [unknown] }, COMMIT).probes).to.deep.equal([unknown]);
  });
});
