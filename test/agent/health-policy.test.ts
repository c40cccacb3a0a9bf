import { join } from 'node:path';
import { userInfo } from 'node:os';
import { expect } from 'chai';
import { hostAsks } from '../../agent/host-asks.js';
import { checkPolicy } from '../../agent/steps/check-policy.js';
import { FraisierError } from '../../proto/error-codes.js';
import { Health, Step } from '../../proto/gen/fraisier/v1/plan.js';
import type { HealthProbe } from '../../proto/gen/fraisier/v1/plan.js';
import { withFolder } from './builders.js';
import { aPolicy, aTarget } from './steps/a-step-context.js';

type AProbe = NonNullable<Parameters<typeof HealthProbe.fromPartial>[0]['look']>;

const command: AProbe = { $case: 'command', value: { shell: 'exit 0' } };
const unit: AProbe = { $case: 'unit', value: { unit: 'worker' } };
const trusting: AProbe = { $case: 'http', value: { url: 'http://x/', tlsCaFile: '/etc/other/ca.pem' } };
const harmless: readonly AProbe[] = [
  { $case: 'http', value: { url: 'http://x/' } },
  { $case: 'tcp', value: { host: 'x', port: 1 } },
  { $case: 'timers', value: {} },
];

const healthOf = (...looks: readonly AProbe[]): Health =>
  Health.fromPartial({ probes: looks.map((look) => ({ timeoutMs: 50, look })) });

describe('a health check and the policy', () => {
  for (const [what, stepOf] of [
    ['the health step', (health: Health) => ({ $case: 'health', value: health }) as const],
    ['preflight', (health: Health) => ({ $case: 'preflight', value: { health } }) as const],
  ] as const) {
    it(`needs its commands, units and authorities allowed in ${what}`, () =>
      withFolder(async (folder) => {
        const judge = async (...looks: readonly AProbe[]): Promise<string> => {
          const step = Step.fromPartial({ name: 'one', action: stepOf(healthOf(...looks)) });
          const policy = aPolicy(folder, { users: [userInfo().username] });
          return (await checkPolicy(aTarget(folder), [step], policy))?.message ?? '';
        };
        expect(await judge(...harmless)).to.equal('');
        expect(await judge(command)).to.include("/bin/sh -c 'exit 0'");
        expect(await judge(unit)).to.include('worker.service');
        expect(await judge(trusting)).to.include('/etc/other/ca.pem');
        const bare = Step.fromPartial({ name: 'one', action: { $case: 'preflight', value: {} } });
        expect(await checkPolicy(aTarget(folder), [bare], aPolicy(folder))).to.equal(null);
        const unknown = Step.fromPartial({
          name: 'one',
          action: stepOf(Health.fromPartial({ probes: [{}] })),
        });
        expect(await checkPolicy(aTarget(folder), [unknown], aPolicy(folder))).to.equal(null);
      }));
  }

  it('needs no command allowed to be asked about, which runs none', () =>
    withFolder(async (folder) => {
      const policy = aPolicy(folder);
      const asks = hostAsks({
        stateFolder: join(folder, 's'),
        systemd: null,
        loadPolicy: async () => policy,
      });
      const { signal } = new AbortController();
      const inspection = await asks.inspect({ target: aTarget(folder), health: healthOf(command) }, signal);
      expect(inspection.healthAnswer).to.equal('not asked');
      const refused = asks.inspect({ target: aTarget(folder), health: healthOf(trusting) }, signal);
      const error = await refused.catch((thrown: unknown) => thrown);
      expect(error instanceof FraisierError && error.reason.code).to.equal('policy_refused');
    }));
});
