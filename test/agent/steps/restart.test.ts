import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'chai';
import type { StepContext, StepEnd, Systemd } from '../../../agent/steps/step.js';
import { Outcome } from '../../../proto/gen/fraisier/v1/agent.js';
import { reason } from '../../../proto/error-codes.js';
import { withFolder } from '../exec/a-spec.js';
import { aHost, aSystemd } from './a-step-context.js';
import type { AnAction, TestHost } from './a-step-context.js';

const COMMIT = 'c0ffee'.repeat(6) + 'c0ff';

async function withRelease(use: (host: TestHost, release: string) => Promise<void>): Promise<void> {
  await withFolder(async (folder) => {
    const host = await aHost(folder);
    const release = join(host.target.appPath, 'releases', COMMIT);
    await mkdir(release, { recursive: true });
    await use(host, release);
  });
}

function reasonOf(end: StepEnd): { code: string; message: string; facts: Record<string, string> } {
  return end.outcome === Outcome.SUCCEEDED ? reason('internal', 'it succeeded') : end.reason;
}

describe('restart', () => {
  const restartUnit = (unit: string): AnAction => ({
    $case: 'restart',
    value: { how: { $case: 'systemdService', value: unit } },
  });

  it('restarts the unit', () =>
    withRelease(async (host) => {
      const systemd = aSystemd({ 'checkout.service': { ActiveState: 'active' } });
      const end = await host.run(restartUnit('checkout'), { systemd });
      expect(end).to.deep.equal({
        outcome: Outcome.SUCCEEDED,
        result: { summary: 'checkout.service is active' },
      });
      expect(systemd.asked).to.deep.equal(['restart checkout.service']);
    }));

  it('shows the unit’s last lines when it does not start', () =>
    withRelease(async (host) => {
      const failing = aSystemd(
        {},
        {
          restart: async () => ({
            ended: 'exited',
            exitCode: 1,
            output: 'Job for checkout.service failed.\n',
          }),
        },
      );
      const end = await host.run(restartUnit('checkout.service'), { systemd: failing });
      expect(reasonOf(end).code).to.equal('restart_failed');
      expect(reasonOf(end).message).to.equal(
        'checkout.service did not start; its last words: last words of checkout.service',
      );
      expect(host.log).to.deep.equal([
        'Job for checkout.service failed.',
        'the last lines of checkout.service:\nline of checkout.service\nlast words of checkout.service',
      ]);
    }));

  it('quotes the unit before what systemd says of it', () =>
    withRelease(async (host) => {
      const words = async (journal: string): Promise<string> => {
        const systemd = aSystemd(
          { 'checkout.service': { ActiveState: 'failed' } },
          { journalTail: async () => journal },
        );
        return reasonOf(await host.run(restartUnit('checkout'), { systemd })).facts['output'] ?? '';
      };
      const said = '2026-11-23 h1 systemd[1]: checkout.service: Failed with result.';
      expect(await words(`2026-11-23 h1 node[7]: port is taken\n${said}\n`)).to.equal(
        '2026-11-23 h1 node[7]: port is taken',
      );
      expect(await words(`${said}\n`)).to.equal(said);
    }));

  it('does not believe a restart whose unit has failed at once, even if it said nothing', () =>
    withRelease(async (host) => {
      const systemd = aSystemd(
        { 'checkout.service': { ActiveState: 'failed' } },
        { journalTail: async () => '' },
      );
      const end = await host.run(restartUnit('checkout'), { systemd });
      expect(reasonOf(end).message).to.equal('checkout.service did not start');
      expect(reasonOf(end).facts).to.deep.equal({ unit: 'checkout.service' });
    }));

  it('ends as it was stopped, and says when there is no systemd', () =>
    withRelease(async (host) => {
      const why = reason('cancelled', 'enough');
      const systemd = aSystemd({}, { restart: async () => ({ ended: 'stopped', reason: why }) });
      expect(await host.run(restartUnit('checkout'), { systemd })).to.deep.equal({
        outcome: Outcome.CANCELLED,
        reason: why,
      });
      const none = await host.run(restartUnit('checkout'));
      expect(reasonOf(none).message).to.equal(
        'checkout.service cannot be controlled: there is no systemd on this host',
      );
    }));

  it('runs the command that stands for it in the release', () =>
    withRelease(async (host, release) => {
      const how = (argv: string[]): AnAction => ({
        $case: 'restart',
        value: { how: { $case: 'command', value: { argv, shell: '', user: '', commit: COMMIT } } },
      });
      expect(await host.run(how(['touch', 'restarted']))).to.deep.equal({
        outcome: Outcome.SUCCEEDED,
        result: { exitCode: 0 },
      });
      expect(await readFile(join(release, 'restarted'), 'utf8')).to.equal('');
      expect(reasonOf(await host.run(how(['false']))).code).to.equal('restart_failed');
    }));

  it('fails when the plan does not say how', () =>
    withRelease(async (host) => {
      const end = await host.run({ $case: 'restart', value: { how: undefined } });
      expect(reasonOf(end).message).to.equal('the plan does not say how to restart');
    }));
});

/** A unit that is one state after the other, each look a step further; the last one stays. */
function passing(
  states: readonly Record<string, string>[],
  more: Partial<Systemd> = {},
): ReturnType<typeof aSystemd> {
  const left = [...states];
  const show: Systemd['show'] = async () => (left.length > 1 ? left.shift() : left[0]) ?? {};
  return aSystemd({}, { show, ...more });
}

describe('the restart of a unit', () => {
  const restartOf = (mode: string, systemdSocket = ''): AnAction => ({
    $case: 'restart',
    value: { how: { $case: 'systemdService', value: 'checkout' }, mode, systemdSocket },
  });
  const UP = { Type: 'simple', ActiveState: 'active', SubState: 'running', NRestarts: '0' };

  /** Runs it without waiting in earnest, and counts what was waited. */
  async function restarted(
    host: TestHost,
    action: AnAction,
    systemd: Systemd,
  ): Promise<{ end: StepEnd; waitedMs: number }> {
    let waitedMs = 0;
    const sleep: StepContext['sleep'] = async (ms) => void (waitedMs += ms);
    return { end: await host.run(action, { systemd, sleep }), waitedMs };
  }

  const BOTH = [
    'stop checkout.socket',
    'stop checkout.service',
    'start checkout.socket',
    'start checkout.service',
  ];

  it('restarts its socket with it: systemd starts no socket whose service runs, so both are stopped first', () =>
    withRelease(async (host) => {
      for (const mode of ['restart', 'try_restart']) {
        const systemd = aSystemd({ 'checkout.service': UP });
        const { end } = await restarted(host, restartOf(mode, 'checkout.socket'), systemd);
        expect(end).to.have.nested.property('result.summary', 'checkout.service is active');
        expect(systemd.asked).to.deep.equal(BOTH);
      }
    }));

  it('starts nothing once one of the two cannot be stopped, and names it', () =>
    withRelease(async (host) => {
      const output = 'Job for checkout.service canceled.\n';
      const systemd = aSystemd(
        { 'checkout.service': UP },
        {
          stop: async (unit) =>
            unit === 'checkout.service'
              ? { ended: 'exited', exitCode: 1, output }
              : { ended: 'exited', exitCode: 0, output: '' },
        },
      );
      const { end } = await restarted(host, restartOf('restart', 'checkout.socket'), systemd);
      expect(reasonOf(end).message).to.match(/^checkout.service did not start; /);
      expect(systemd.asked).to.deep.equal([]);
      expect(host.log).to.include(output.trim());
    }));

  it('restarts the socket alone of a service that does not run, when told to only try', () =>
    withRelease(async (host) => {
      const systemd = aSystemd({ 'checkout.service': { ActiveState: 'inactive' } });
      const { end } = await restarted(host, restartOf('try_restart', 'checkout.socket'), systemd);
      expect(end).to.have.nested.property(
        'result.summary',
        'checkout.service was not running, and is left so',
      );
      expect(systemd.asked).to.deep.equal(['try-restart checkout.socket']);
    }));

  it('reloads a unit that runs, starts one that does not, and leaves its socket alone', () =>
    withRelease(async (host) => {
      const running = aSystemd({ 'checkout.service': UP });
      const { end, waitedMs } = await restarted(host, restartOf('reload', 'checkout.socket'), running);
      expect(end).to.have.nested.property('result.summary', 'checkout.service was reloaded and is active');
      expect([running.asked, waitedMs]).to.deep.equal([['reload checkout.service'], 0]);
      const resting = passing([{ ActiveState: 'inactive' }, UP]);
      await restarted(host, restartOf('reload', 'checkout.socket'), resting);
      expect(resting.asked).to.deep.equal(BOTH);
    }));

  it('leaves a unit that does not run as it is, when told to only try', () =>
    withRelease(async (host) => {
      const resting = aSystemd({ 'checkout.service': { ActiveState: 'inactive' } });
      const { end } = await restarted(host, restartOf('try_restart'), resting);
      expect(end).to.have.nested.property(
        'result.summary',
        'checkout.service was not running, and is left so',
      );
      expect(resting.asked).to.deep.equal(['try-restart checkout.service']);
      const running = aSystemd({ 'checkout.service': UP });
      const up = await restarted(host, restartOf('try_restart'), running);
      expect(up.end).to.have.nested.property('result.summary', 'checkout.service is active');
    }));

  it('sees a unit that fails, or is started again, within a moment of its start', () =>
    withRelease(async (host) => {
      const message = async (...states: Record<string, string>[]): Promise<string> =>
        reasonOf((await restarted(host, restartOf(''), passing(states))).end).message;
      const words = '; its last words: last words of checkout.service';
      expect(await message(UP, UP, { ...UP, ActiveState: 'failed' })).to.equal(
        `checkout.service did not start${words}`,
      );
      const again = `checkout.service ended right after its start, and systemd starts it again and again${words}`;
      expect(await message({ ...UP, ActiveState: 'activating', SubState: 'auto-restart' })).to.equal(again);
      expect(await message(UP, { ...UP, NRestarts: '1' })).to.equal(again);
    }));

  it('looks three times within 0.3 s, and once where systemd itself waited for the start', () =>
    withRelease(async (host) => {
      const waited = async (state: Record<string, string>): Promise<number> =>
        (await restarted(host, restartOf(''), passing([state]))).waitedMs;
      expect(await waited(UP)).to.equal(300);
      for (const Type of ['notify', 'forking', 'oneshot']) expect(await waited({ ...UP, Type })).to.equal(0);
      expect(await waited({ ...UP, ActiveState: 'inactive' })).to.equal(0);
    }));

  it('shows the last lines of the unit that systemd names, whatever was done to it', () =>
    withRelease(async (host) => {
      const refusing = (output: string): Systemd =>
        aSystemd(
          { 'checkout.service': UP },
          {
            restart: async () => ({ ended: 'exited', exitCode: 1, output }),
            start: async () => ({ ended: 'exited', exitCode: 1, output }),
          },
        );
      const said = async (mode: string, output: string): Promise<string> => {
        const action = restartOf(mode, 'checkout.socket');
        return reasonOf((await restarted(host, action, refusing(output))).end).message;
      };
      expect(await said('restart', 'Job for checkout.socket failed.')).to.match(
        /^checkout.socket did not start; .* of checkout.socket$/,
      );
      expect(await said('try_restart', '')).to.match(
        /^checkout.service did not start; .* of checkout.service$/,
      );
      expect(await said('reload', 'Job type reload is not applicable for unit checkout.service.')).to.match(
        /^checkout.service could not be reloaded; its last words: /,
      );
    }));

  it('carries no more of the journal than a reason should', () =>
    withRelease(async (host) => {
      const lines = Array.from({ length: 30 }, (_, at) => `${at} ${'x'.repeat(300)}`).join('\n');
      const systemd = passing([{ ActiveState: 'failed' }], { journalTail: async () => lines });
      const { facts } = reasonOf((await restarted(host, restartOf(''), systemd)).end);
      expect(facts['journal'])
        .to.have.length(2000)
        .and.match(/29 x+$/);
      expect(host.log.join('\n')).to.include(lines);
    }));

  it('says so when the plan asks for what this agent does not know', () =>
    withRelease(async (host) => {
      const { end } = await restarted(host, restartOf('freeze'), aSystemd({}));
      expect(reasonOf(end).message).to.equal('this agent does not know how to freeze a unit');
    }));
});
