import { expect } from 'chai';
import { reason } from '../../proto/error-codes.js';
import { Phase } from '../../proto/gen/fraisier/v1/plan.js';
import { until } from '../support/until.js';
import { aDesk, type Desk } from './desk.js';
import {
  changed,
  heard,
  runFinished,
  runStarted,
  stepFinished,
  stepNote,
  stepStarted,
  UNHEALTHY,
} from './samples.js';
import type { Story } from './fake-controller.js';

const GOOD: Story = {
  end: {},
  events: [
    changed(1, { status: 'running' }),
    heard(2, 'web-1', runStarted),
    heard(3, 'web-1', stepStarted('health')),
    heard(4, 'web-1', stepNote('health', 'attempt 1 of 10: 503')),
    heard(5, 'web-1', stepFinished('health', 3_200)),
    heard(6, 'web-1', runFinished()),
    changed(7, { status: 'succeeded' }),
  ],
};

const GOOD_LINES = [
  '12:00:01Z running',
  '12:00:02Z web-1 release started',
  '12:00:03Z web-1 release health started',
  '12:00:04Z web-1 release health: attempt 1 of 10: 503',
  '12:00:05Z web-1 release health succeeded in 3.2s',
  '12:00:06Z web-1 release succeeded',
  '12:00:07Z succeeded',
  'succeeded  checkout → production  3f2c1ab (was 9a1b2c3) in 12.3s',
  '',
];

describe('fraisier deploy', () => {
  let desk: Desk;
  before(async () => {
    desk = await aDesk();
    const { stories } = desk.controller;
    stories.set('checkout', GOOD);
    stories.set('broken', {
      end: { status: 'rolled_back', reason: UNHEALTHY },
      events: [
        changed(1, { status: 'running' }),
        heard(2, 'web-1', stepFinished('health', 900, UNHEALTHY)),
        heard(3, 'web-1', runFinished(UNHEALTHY)),
        changed(4, { status: 'rolling_back', reason: UNHEALTHY }),
        heard(5, 'web-1', stepStarted('activate', 2), Phase.UNDO),
        changed(6, { status: 'rolled_back', reason: UNHEALTHY }),
      ],
    });
    stories.set('paused', {
      end: { status: 'paused', reason: reason('paused', 'the migration was interrupted') },
      events: [changed(1, { status: 'paused', reason: reason('paused', 'the migration was interrupted') })],
      goesOn: true,
    });
    stories.set('slow', {
      end: { status: 'running', durationMs: undefined, oldVersion: '' },
      events: [changed(1, { status: 'running' })],
      goesOn: true,
    });
    stories.set('cut', { ...GOOD, cutAfter: 4 });
    stories.set('same', { end: { status: 'unchanged' }, events: [] });
    stories.set('stopped', {
      end: { status: 'cancelled', reason: reason('cancelled', 'ann cancelled it') },
      events: [],
    });
  });
  after(() => desk.clear());

  // The first message of a stream carries the time of the deployment itself.
  const lines = (stdout: string): string[] =>
    stdout.split('\n').map((line) => line.replace(/^11:59:00Z/, '12:00:01Z'));

  it('shows what happens, one line an event where there is no terminal, and ends with a summary', async () => {
    const { code, stdout, stderr } = await desk.fraisier(['deploy', 'checkout', 'production']);
    expect({ code, stderr }).to.deep.equal({ code: 0, stderr: '' });
    expect(lines(stdout)).to.deep.equal(GOOD_LINES);
  });

  it('asks for what was typed, under an id of its own each time', async () => {
    const flags = [
      '--commit',
      '3f2c1ab',
      '--force',
      '--hosts',
      'web-1,web-2',
      '--hosts',
      'web-3',
      '--no-wait',
    ];
    await desk.fraisier(['deploy', 'checkout', 'production', ...flags]);
    const [before, last] = desk.controller.requests.slice(-2);
    expect(last).to.deep.include({
      fraise: 'checkout',
      environment: 'production',
      commit: '3f2c1ab',
      branch: '',
      force: true,
      hosts: ['web-1', 'web-2', 'web-3'],
      trigger: 'cli',
    });
    expect(last?.requestId)
      .to.match(/^[0-9a-f-]{36}$/)
      .and.not.equal(before?.requestId);
  });

  it('with --json prints the finished deployment alone, and where to watch it on stderr', async () => {
    const { code, stdout, stderr } = await desk.fraisier(['deploy', 'checkout', 'production', '--json']);
    const deployment = JSON.parse(stdout) as { id: string };
    expect(code).to.equal(0);
    expect(deployment).to.deep.include({ status: 'succeeded', duration_ms: 12_300 });
    expect(stderr).to.equal(
      `${deployment.id} goes on without this command: fraisier watch ${deployment.id}\n`,
    );
  });

  it('says why it failed and what to type next, and ends with 1', async () => {
    const { code, stdout } = await desk.fraisier(['deploy', 'broken', 'production']);
    expect(code).to.equal(1);
    const id = /fraisier logs (\S+)/.exec(stdout)?.[1];
    expect(lines(stdout)).to.deep.equal([
      '12:00:01Z running',
      '12:00:02Z web-1 release health failed in 0.9s: web-1 answered 503 ten times',
      '12:00:03Z web-1 release failed: web-1 answered 503 ten times',
      '12:00:04Z rolling_back web-1 answered 503 ten times',
      '12:00:05Z web-1 undo activate started (attempt 2)',
      '12:00:06Z rolled_back web-1 answered 503 ten times',
      'rolled_back  broken → production  3f2c1ab (was 9a1b2c3) in 12.3s',
      'why:  web-1 answered 503 ten times',
      `next: fraisier logs ${id}`,
      '',
    ]);
  });

  it('ends with 4 when the deployment is paused, and says how it goes on', async () => {
    const { code, stdout } = await desk.fraisier(['deploy', 'paused', 'production']);
    expect(code).to.equal(4);
    expect(stdout).to.match(/next: fraisier continue (\S+), or: fraisier cancel \1\n$/);
  });

  it('deploys an ended one once more, on the hosts that are named', async () => {
    const id = desk.controller.record('checkout');
    const { code, stdout } = await desk.fraisier(['retry', id, '--host', 'web-1', '--host', 'web-2']);
    expect(code).to.equal(0);
    expect(stdout).to.contain('succeeded  checkout → production');
    const heard = desk.controller.heard.find(({ method }) => method === 'retryDeployment');
    expect(heard?.request).to.include({ deploymentId: id, trigger: 'cli' });
    expect(heard?.request).to.have.deep.property('hosts', ['web-1', 'web-2']);
    const waiting = await desk.fraisier(['retry', id, '--no-wait']);
    expect(waiting.stdout).to.match(/^d_\w+ {2}queued/);
    expect(await desk.fraisier(['retry', 'd_x'])).to.include({ code: 2 });
  });

  it('returns at once with --no-wait', async () => {
    const { code, stdout } = await desk.fraisier(['deploy', 'slow', 'production', '--no-wait']);
    expect(code).to.equal(0);
    expect(stdout).to.match(/^(d_slow_\d+)  queued  slow → production  3f2c1ab\nnext: fraisier watch \1\n$/);
  });

  it('shows the plan from the hosts with --dry-run, and deploys nothing', async () => {
    const asked = desk.controller.requests.length;
    const { code, stdout } = await desk.fraisier(['deploy', 'checkout', 'production', '--dry-run']);
    expect({ code, first: stdout.split('\n')[0] }).to.deep.equal({
      code: 0,
      first: 'plan: checkout → production  3f2c1ab',
    });
    const json = await desk.fraisier(['deploy', 'checkout', 'production', '--dry-run', '--json']);
    expect(JSON.parse(json.stdout)).to.have.nested.property('hosts[0].preview.free_bytes', 12_300_000_000);
    expect(desk.controller.requests).to.have.lengthOf(asked);
  });

  it('deploys once though the answer is lost twice', async () => {
    desk.controller.answersToLose = 2;
    const asked = desk.controller.requests.length;
    const { code, stdout, stderr } = await desk.fraisier(['deploy', 'same', 'production', '--json']);
    expect({ code, status: (JSON.parse(stdout) as { status: string }).status }).to.deep.equal({
      code: 0,
      status: 'unchanged',
    });
    expect(stderr).to.include('trying again for 5 s').and.include('the controller is back');
    const repeats = desk.controller.requests.slice(asked);
    expect(repeats).to.have.lengthOf(3);
    expect(new Set(repeats.map(({ requestId }) => requestId)).size).to.equal(1);
  });

  it('says that the outcome is unknown when the answers keep being lost, and ends with 3', async () => {
    desk.controller.answersToLose = 1000;
    try {
      const environment = { FRAISIER_RECONNECT_FOR: '0.5' };
      const { code, stderr } = await desk.fraisier(['deploy', 'same', 'production'], { environment });
      expect(code).to.equal(3);
      expect(stderr).to.match(
        /\nerror: the controller went away while it was asked: whether a deployment was queued is not known\nnext: fraisier history same production\n$/,
      );
    } finally {
      desk.controller.answersToLose = 0;
    }
  });

  it('joins again where it was when the stream is cut: each event is shown once', async () => {
    const { code, stdout, stderr } = await desk.fraisier(['deploy', 'cut', 'production']);
    expect(code).to.equal(0);
    expect(lines(stdout.replaceAll('cut →', 'checkout →'))).to.deep.equal(GOOD_LINES);
    expect(stderr).to.match(/the connection was cut; trying again for 5 s\nthe controller is back\n$/);
  });

  it('detaches on Ctrl-C with 130: the deployment goes on', async () => {
    const ctrlC = new AbortController();
    const { code, stderr } = await desk.fraisier(['deploy', 'slow', 'production'], {
      signal: ctrlC.signal,
      onOutput: (text) => text.includes('running') && ctrlC.abort(),
    });
    expect(code).to.equal(130);
    expect(stderr).to.match(/^detached; the deployment goes on\nnext: fraisier watch d_slow_\d+\n$/);
  });

  it('watches a deployment from its first event, one JSON object a line with --json', async () => {
    const id = desk.controller.record('checkout');
    const people = await desk.fraisier(['watch', id]);
    expect({ code: people.code, lines: lines(people.stdout) }).to.deep.equal({ code: 0, lines: GOOD_LINES });
    const { code, stdout } = await desk.fraisier(['watch', id, '--json']);
    const events = stdout
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as { number: number; event: string });
    expect(code).to.equal(0);
    expect(events.map(({ event }) => event)).to.deep.equal([
      'deployment',
      'run_started',
      'step_started',
      'step_note',
      'step_finished',
      'run_finished',
      'deployment',
    ]);
  });

  it('ends watching with the exit code of the deployment', async () => {
    expect(await desk.fraisier(['watch', desk.controller.record('broken')])).to.have.property('code', 1);
    expect(await desk.fraisier(['watch', desk.controller.record('stopped')])).to.have.property('code', 4);
  });

  it('cancels: 0 when it took effect, 4 when it came too late', async () => {
    const cancelled = await desk.fraisier(['cancel', desk.controller.record('stopped')]);
    expect(cancelled.code).to.equal(0);
    expect(cancelled.stdout).to.include('why:  ann cancelled it\n');
    expect(await desk.fraisier(['cancel', desk.controller.record('checkout')])).to.have.property('code', 4);
    const ended = await desk.fraisier(['cancel', desk.controller.record('same')]);
    expect(ended.code).to.equal(4);
    expect(ended.stderr).to.match(/^error: (d_same_\d+) has ended: unchanged\nnext: fraisier show \1\n$/);
  });

  it('lets a paused deployment go on without a host, and watches it', async () => {
    const id = desk.controller.record('checkout');
    const { code, stdout } = await desk.fraisier(['skip', id, '--host', 'web-1,web-2']);
    expect([code, stdout]).to.deep.equal([0, (await desk.fraisier(['continue', id])).stdout]);
    const heard = desk.controller.heard.find(({ method }) => method === 'skipHosts');
    expect(heard?.request).to.deep.equal({ deploymentId: id, hosts: ['web-1', 'web-2'] });
    expect(await desk.fraisier(['skip', id])).to.include({ code: 2 });
  });

  it('asks for the others when hosts are away', async () => {
    expect(await desk.fraisier(['deploy', 'checkout', 'production', '--skip-unreachable'])).to.include({
      code: 0,
    });
    expect(desk.controller.requests.at(-1)).to.include({ skipUnreachable: true });
  });

  it('continues a paused deployment and watches it', async () => {
    const { code, stdout } = await desk.fraisier(['continue', desk.controller.record('checkout')]);
    expect({ code, last: stdout.split('\n').at(-2) }).to.deep.equal({ code: 0, last: GOOD_LINES.at(-2) });
  });

  it('goes on watching when the controller is restarted, over TLS', async () => {
    const { controller } = desk;
    const id = controller.record('slow');
    const login = await desk.fraisier(['login', controller.address, '--context', 'tls'], {
      input: controller.token,
    });
    expect(login.code).to.equal(0);
    let seen = '';
    const watching = desk.fraisier(['watch', id, '--context', 'tls'], { onOutput: (text) => (seen += text) });
    await until('the first event to be shown', () => seen.includes('running'));
    const { port } = controller;
    controller.stop();
    await until('the cut to be noticed', () => seen.includes('trying again'));
    controller.stories.set('slow', { ...GOOD, end: {} });
    controller.settle(id);
    await controller.listen(port);
    await controller.listenOnSocket(desk.socket);
    const { code, stdout, stderr } = await watching;
    expect({ code, last: stdout.split('\n').at(-2) }).to.deep.equal({
      code: 0,
      last: 'succeeded  slow → production  3f2c1ab (was 9a1b2c3) in 12.3s',
    });
    expect(stderr).to.match(
      /^no controller answers at localhost:\d+: .*; trying again for 5 s\nthe controller is back\n$/,
    );
  });

  it('does not take a stream that was ended too early for the end', async () => {
    const { controller } = desk;
    controller.stories.set('polite', {
      end: { status: 'running' },
      events: [changed(1, { status: 'running' })],
    });
    const environment = { FRAISIER_RECONNECT_FOR: '0.3' };
    const { code, stderr } = await desk.fraisier(['watch', controller.record('polite')], { environment });
    expect(code).to.equal(3);
    expect(stderr).to.match(
      /^the controller at .* ended the stream; trying again for 0.3 s\nerror: .* is not known here\n/,
    );
  });

  it('ends with 3 and says how to go on when the controller stays away', async () => {
    const { controller } = desk;
    controller.stories.set('lonely', {
      end: { status: 'running' },
      events: [changed(1, { status: 'running' })],
      goesOn: true,
    });
    const id = controller.record('lonely');
    const { port } = controller;
    let seen = '';
    const watching = desk.fraisier(['watch', id], {
      environment: { FRAISIER_RECONNECT_FOR: '0.3' },
      onOutput: (text) => (seen += text),
    });
    await until('the first event to be shown', () => seen.includes('running'));
    controller.stop();
    const { code, stderr } = await watching;
    expect(code).to.equal(3);
    expect(stderr).to.match(
      /\nerror: the controller has not answered for 0.3 s: how (\S+) goes on is not known here\nnext: fraisier watch \1\n$/,
    );
    await controller.listen(port);
    await controller.listenOnSocket(desk.socket);
  });
});
