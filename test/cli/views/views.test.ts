import { Ansis } from 'ansis';
import { expect } from 'chai';
import { reason } from '../../../proto/error-codes.js';
import { Agent, Webhook, WebhookSetup } from '../../../proto/gen/fraisier/v1/control.js';
import { agentTable } from '../../../cli/views/agents.js';
import { allowed } from '../../../cli/views/allowed.js';
import { applied } from '../../../cli/views/applied.js';
import {
  deploymentSummary,
  deploymentWhole,
  nextCommand,
  reasonLine,
} from '../../../cli/views/deployment.js';
import { fraiseTable, fraiseTree } from '../../../cli/views/fraises.js';
import { historyTable } from '../../../cli/views/history.js';
import { logHeading } from '../../../cli/views/log-lines.js';
import { planFromHosts } from '../../../cli/views/preview.js';
import { statsSheet } from '../../../cli/views/stats.js';
import { statusBlocks } from '../../../cli/views/status.js';
import { chainOfCauses } from '../../../cli/views/why.js';
import { validated } from '../../../cli/views/validated.js';
import { webhookSetup } from '../../../cli/views/webhook-setup.js';
import { webhookReplayed, webhookTable, webhookWhole } from '../../../cli/views/webhooks.js';
import { ago, instant, mark, short, span, status } from '../../../cli/views/words.js';
import * as answers from '../fake-answers.js';
import { aDeployment, aFailedDeployment, at, NOW, OLD_SHA, PLAIN, SHA } from '../samples.js';

const text = (...lines: string[]): string => lines.map((line) => `${line}\n`).join('');

describe('words', () => {
  it('tell how long something took', () => {
    expect(
      [0, 400, 12_345, 59_940, 59_960, 65_000, 3_599_600, 4_800_000, 90_000_000].map(span),
    ).to.deep.equal(['0.0s', '0.4s', '12.3s', '59.9s', '1m 00s', '1m 05s', '1h 00m', '1h 20m', '1d 1h']);
  });

  it('tell how long ago something was', () => {
    expect(
      [undefined, NOW, at(-30), at(-90), at(-7200), at(-90_000)].map((when) => ago(when, NOW)),
    ).to.deep.equal(['-', 'just now', '30s ago', '1m ago', '2h ago', '1d ago']);
    expect([instant(undefined), instant(NOW)]).to.deep.equal(['-', '2026-11-23 12:00:00Z']);
  });

  it('shorten a SHA and nothing else', () => {
    expect([SHA, 'v1.2.3', ''].map(short)).to.deep.equal(['3f2c1ab', 'v1.2.3', '-']);
  });

  it('colour a status the same everywhere, and only when colours are wanted', () => {
    const ink = new Ansis(1);
    expect(
      ['live', 'failed', 'away', 'running', 'strange'].map((word) => status(word, { ink })),
    ).to.deep.equal([
      ink.green('live'),
      ink.red('failed'),
      ink.yellow('away'),
      ink.cyan('running'),
      'strange',
    ]);
    expect(status('failed', PLAIN)).to.equal('failed');
    expect(['succeeded', 'lost', 'running', 'skipped'].map((word) => mark(word, PLAIN)).join('')).to.equal(
      '✓✗…-',
    );
  });
});

describe('views of deployments', () => {
  it('sum up one that went well in one line', () => {
    expect(deploymentSummary(aDeployment(), PLAIN)).to.equal(
      text('succeeded  checkout → production  3f2c1ab (was 9a1b2c3) in 12.3s'),
    );
  });

  it('sum up one that failed with why, what to type next, and warnings', () => {
    expect(
      deploymentSummary(
        aFailedDeployment({ oldVersion: '', durationMs: undefined, warnings: ['no health check'] }),
        PLAIN,
      ),
    ).to.equal(
      text(
        'failed  checkout → production  3f2c1ab',
        'why:  web-1 answered 503 ten times',
        'next: fraisier logs d_1 --host web-1',
        'warning: no health check',
      ),
    );
  });

  const next: Record<string, string> = {
    queued: 'fraisier watch d_1',
    running: 'fraisier watch d_1',
    rolling_back: 'fraisier watch d_1',
    paused: 'fraisier continue d_1, or: fraisier cancel d_1',
    failed: 'fraisier logs d_1',
    rolled_back: 'fraisier logs d_1',
    rollback_failed: 'fraisier logs d_1',
    superseded: 'fraisier status checkout production',
    succeeded: '',
    unchanged: '',
    cancelled: '',
  };
  for (const [word, command] of Object.entries(next)) {
    it(`name the next command for one that is ${word}: ${command || 'none'}`, () => {
      expect(nextCommand(aDeployment({ status: word }))).to.equal(command);
    });
  }

  it('prefer the hint that the reason brings', () => {
    const hinted = reason('locked', 'held by ann', { hint: 'fraisier unlock' });
    expect(nextCommand(aDeployment({ status: 'failed', reason: hinted }))).to.equal('fraisier unlock');
    expect(reasonLine(hinted)).to.equal('held by ann (next: fraisier unlock)');
  });

  it('show one whole, host by host and step by step', () => {
    expect(
      deploymentWhole(
        aFailedDeployment({ webhookId: 'w_1', trigger: 'webhook', warnings: ['no health check'] }),
        PLAIN,
      ),
    ).to.equal(
      text(
        'd_1  checkout → production',
        '  status    failed',
        '  why       web-1 answered 503 ten times',
        '  next      fraisier logs d_1 --host web-1',
        '  kind      deploy',
        `  commit    ${SHA} (main)`,
        '  version   9a1b2c3 → 3f2c1ab',
        '  asked by  ann (webhook)',
        '  webhook   w_1',
        '  config    revision 3',
        '  created   2026-11-23 11:59:00Z',
        '  started   2026-11-23 11:59:02Z',
        '  finished  2026-11-23 11:59:14Z',
        '  took      12.3s',
        '  warnings  no health check',
        '',
        'web-1  release  failed  9a1b2c3 → 3f2c1ab',
        '  web-1 answered 503 ten times',
        '  later: the unit is active after all',
        '  phase    step    status     took    attempts  reason',
        '  prepare  fetch   succeeded  0.4s    2',
        '  release  health  failed     1m 30s  1         web-1 answered 503 ten times',
        '  release  hooks   skipped    -       0',
      ),
    );
  });

  it('show one that has not begun without what is not known yet', () => {
    const queued = aDeployment({
      status: 'queued',
      commit: '',
      ref: '',
      oldVersion: '',
      newVersion: '',
      trigger: '',
      requestedBy: '',
      configRevision: 0,
      startedAt: undefined,
      finishedAt: undefined,
      durationMs: undefined,
      hosts: [
        {
          host: 'web-1',
          phase: '',
          status: 'pending',
          oldVersion: '',
          newVersion: '',
          reason: undefined,
          steps: [],
          lateReports: [],
        },
      ],
    });
    expect(deploymentWhole(queued, PLAIN)).to.equal(
      text(
        'd_1  checkout → production',
        '  status   queued',
        '  next     fraisier watch d_1',
        '  kind     deploy',
        '  created  2026-11-23 11:59:00Z',
        '',
        'web-1  pending',
      ),
    );
  });

  it('list past ones with why they ended so', () => {
    expect(historyTable(answers.listDeployments(), PLAIN)).to.equal(
      text(
        'id   what                   status     version  kind    by       when    took   why',
        'd_1  checkout → production  succeeded  3f2c1ab  deploy  ann      1m ago  12.3s',
        'd_0  checkout → production  failed     3f2c1ab  deploy  webhook  1m ago  -      web-1 answered 503 ten times',
        'more: --cursor c1',
      ),
    );
    expect(historyTable({ deployments: [], next: '' }, PLAIN)).to.equal('no deployments\n');
    expect(historyTable({ deployments: [aDeployment()], next: '' }, PLAIN)).not.to.include('more');
  });

  it('show the plan as the hosts see it', () => {
    const files = Array.from({ length: 10 }, (_, i) => `  M src/${i}.js`);
    const preview = answers.previewDeployment({
      fraise: 'checkout',
      environment: 'production',
      commit: '',
      branch: '',
      force: false,
      hosts: [],
      skipUnreachable: false,
      trigger: 'cli',
      requestId: '',
    });
    expect(planFromHosts(preview, PLAIN)).to.equal(
      text(
        'plan: checkout → production  3f2c1ab',
        'migrations run once, on web-1',
        'when a host fails all of them go back',
        'point of no return: migrate: the tool has no way down',
        'warning: no health check',
        'web-1  batch 1  prepare → migrate → release',
        '  live: 9a1b2c3, not proven good, 2 commits behind the new one',
        '  the release is already staged',
        '  would refuse: web-1 does not allow npm',
        '  next: fraisier agent allow --command "npm ci"',
        '  migration (estimated): 002_orders.sql',
        ...files,
        '  and 2 more files (--json lists them all)',
        '  free: 12.3 GB',
        'web-2  batch 2  prepare → release',
        '  cannot say: web-2 is away',
      ),
    );
  });

  it('show the plan of a first release without what it does not have', () => {
    const preview = {
      currentRelease: '',
      currentProvenGood: false,
      files: [],
      commitsAhead: 0,
      estimatedMigrations: [],
      freeBytes: 1e9,
      refusals: [],
      alreadyStaged: false,
      irreversibleMigrations: [],
      unitFiles: [],
    };
    const host = { host: 'web-1', batch: 0, steps: ['prepare'], preview, problem: undefined };
    expect(
      planFromHosts(
        {
          fraise: 'a',
          environment: 'b',
          commit: SHA,
          migratingHost: '',
          pointOfNoReturn: '',
          warnings: [],
          hosts: [host],
          kind: 'deploy',
          rollback: undefined,
          undoes: '',
          rules: [],
        },
        PLAIN,
      ),
    ).to.equal(text('plan: a → b  3f2c1ab', 'web-1  batch 1  prepare', '  live: -', '  free: 1.0 GB'));
  });
});

describe('views of what is', () => {
  it('show the status of an environment, host by host', () => {
    expect(statusBlocks(answers.getStatus({ fraise: '', environment: '' }), PLAIN)).to.equal(
      text(
        'checkout → production  wanted 3f2c1ab',
        '  locked by ann until 2026-11-23 14:00:00Z: a freeze for the sale',
        '  host   is    version  health   unit    seen      note',
        '  web-1  live  3f2c1ab  healthy  active  just now',
        '  web-2  away  9a1b2c3  -        -       1h ago    web-2 is away since 11:00 (next: systemctl status fraisier-agent (on web-2)) · 2 dirty files',
        '  web-1 also keeps 9a1b2c3, ddddddd (not proven good)',
        '  web-1: nightly.timer active, next 2026-11-23 13:00:00Z',
        '  queued  d_2 3f2c1ab, 1 in the queue, starts in about 2m 05s: d_1 is running  (next: fraisier watch d_2)',
        '  last: succeeded  d_1 3f2c1ab, 46s ago',
      ),
    );
    const status = answers.getStatus({ fraise: '', environment: '' });
    const [one] = status.environments;
    const queue = [{ deploymentId: 'd_2', position: 3, reason: undefined, expectedWaitMs: undefined }];
    expect(statusBlocks({ environments: [{ ...one!, queue }] }, PLAIN)).to.include(
      'd_2 3f2c1ab, 3 in the queue: d_1 is running',
    );
    expect(statusBlocks({ environments: [] }, PLAIN)).to.equal(
      text('nothing is configured', 'next: fraisier apply fraises.yaml'),
    );
  });

  it('show that nothing is in the way, and what to type all the same', () => {
    const nothing = { fraise: 'a', environment: 'b', queued: undefined, causes: [], next: '' };
    const running = aDeployment({ status: 'running', reason: undefined });
    expect(chainOfCauses({ ...nothing, deployment: running }, PLAIN)).to.equal(
      text(
        'd_1  checkout → production  3f2c1ab  running',
        '  nothing is in its way',
        'next: fraisier watch d_1',
      ),
    );
    const done = aDeployment({ status: 'succeeded', reason: undefined });
    expect(chainOfCauses({ ...nothing, deployment: done }, PLAIN)).to.equal(
      text('d_1  checkout → production  3f2c1ab  succeeded', '  nothing is in its way'),
    );
  });

  it('show an environment where nothing ever happened', () => {
    const bare = {
      fraise: 'a',
      environment: 'b',
      wantedVersion: '',
      hosts: [],
      unfinished: [aDeployment({ status: 'running' })],
      last: undefined,
      lock: undefined,
      layout: 'in_place',
      queue: [],
    };
    expect(statusBlocks({ environments: [bare, { ...bare, unfinished: [] }] }, PLAIN)).to.equal(
      text(
        'a → b  wanted -  (in place)',
        '  no hosts',
        '  running  d_1 3f2c1ab  (next: fraisier watch d_1)',
        '',
        'a → b  wanted -  (in place)',
        '  no hosts',
      ),
    );
  });

  it('say what to do where nothing is configured', () => {
    for (const view of [fraiseTree, fraiseTable]) {
      expect(view({ fraises: [] }, PLAIN)).to.equal(
        text('nothing is configured', 'next: fraisier apply fraises.yaml'),
      );
    }
  });

  it('list agents with their labels, and say how to get the first one', () => {
    expect(agentTable(answers.listAgents(), PLAIN)).to.equal(
      text(
        'agent  is         seen      labels            version  controller  certificate ends',
        'web-1  connected  just now  role=web, zone=a  0.1.0    c1          2026-11-24 12:00:00Z',
      ),
    );
    expect(
      agentTable({ agents: [Agent.fromPartial({ name: 'new', status: 'never_seen' })] }, PLAIN),
    ).to.include('new    never_seen  -');
    expect(agentTable({ agents: [] }, PLAIN)).to.equal(
      text('no agents', 'next: fraisier agents token --name HOST'),
    );
  });

  it('list deliveries with what came of them', () => {
    expect(webhookTable(answers.listWebhooks(), PLAIN)).to.equal(
      text(
        'id   when      from    event  repository     ref   commit   verdict   what came of it',
        'w_1  just now  github  push   acme/checkout  main  3f2c1ab  deployed  d_1',
        'w_0  just now  -       -      -              -     -        ignored   issues are not deployed',
      ),
    );
    expect(webhookTable({ webhooks: [], next: '' }, PLAIN)).to.equal('no deliveries\n');
    expect(
      webhookTable({ webhooks: [Webhook.fromPartial({ id: 'w_2', verdict: 'pong' })], next: 'c' }, PLAIN),
    ).to.match(/more: --cursor c\n$/);
  });

  it('show one delivery whole, with only what it had', () => {
    const why = reason('duplicate_delivery', 'w_1 came first', { hint: 'fraisier webhooks show w_1' });
    expect(
      webhookWhole(
        Webhook.fromPartial({
          id: 'w_2',
          provider: 'gitlab',
          verdict: 'duplicate',
          reason: why,
          originalId: 'w_1',
          receivedAt: NOW,
        }),
        PLAIN,
      ),
    ).to.equal(
      text(
        'w_2  duplicate',
        '  why          w_1 came first',
        '  next         fraisier webhooks show w_1',
        '  received     2026-11-23 12:00:00Z',
        '  provider     gitlab',
        '  signed with  nothing that was verified',
        '  repeats      w_1',
        '  body         none is kept',
      ),
    );
  });

  it('show a replay, its headers and as much of its body as was sent, without what would move the cursor', () => {
    const shown = webhookWhole(
      Webhook.fromPartial({
        id: 'w_3',
        originalId: 'w_1',
        replayedBy: 'ana',
        matchedSecret: 'git.github.webhook_secret',
        headers: { 'x-github-event': 'push' },
        repeatedBy: ['w_4', 'w_5'],
        bodyBytes: 20,
        body: Buffer.from('{\u001b[2J\n}'),
      }),
      PLAIN,
    );
    expect(shown)
      .to.include('  replays      w_1, for ana\n')
      .and.include('  repeated by  w_4, w_5\n')
      .and.include('  header       x-github-event: push\n')
      .and.include('  body         20 bytes, of which these are the first 7\n')
      .and.match(/\n\{ \[2J\n\}\n$/);
    expect(webhookWhole(Webhook.fromPartial({ bodyBytes: 20 }), PLAIN)).to.include(
      '20 bytes: show it with --body',
    );
    const whole = { bodyBytes: 2, body: Buffer.from('{}') };
    expect(webhookWhole(Webhook.fromPartial(whole), PLAIN)).to.include('  body         2 bytes\n');
  });

  it('say what came of a replay', () => {
    const why = reason('duplicate_delivery', 'd_1 has this commit already', { hint: 'fraisier deploy' });
    const replay = { id: 'w_2', originalId: 'w_1', verdict: 'duplicate', reason: why };
    expect(webhookReplayed(Webhook.fromPartial(replay), PLAIN)).to.equal(
      text(
        'w_1 was judged again as w_2: duplicate, nothing is deployed',
        '  why   d_1 has this commit already',
        '  next  fraisier deploy',
      ),
    );
  });

  it('say what to enter at a git host, and where a secret is missing', () => {
    const setup = WebhookSetup.fromPartial({
      fraise: 'shop',
      provider: 'gitlab',
      url: 'http://10.0.0.1:8080/webhook/gitlab',
      urlNote: 'not the public one',
      contentType: 'application/json',
      events: ['Push events', 'Tag push events'],
      secrets: [
        { path: 'git.gitlab.webhook_secret[0]', variables: ['NEW'], usable: false },
        { path: 'git.gitlab.webhook_secret[1]', variables: [], usable: true },
      ],
      steps: ['Settings', 'Test'],
    });
    expect(webhookSetup(setup, PLAIN)).to.equal(
      text(
        'a webhook for shop at gitlab',
        '  address       http://10.0.0.1:8080/webhook/gitlab',
        '  note          not the public one',
        '  content type  application/json',
        '  events        Push events, Tag push events',
        "  secret        what git.gitlab.webhook_secret[0] resolves to (NEW of the controller's environment), which is not set: deliveries are refused until it is",
        '  secret        what git.gitlab.webhook_secret[1] resolves to',
        '',
        '1. Settings',
        '2. Test',
      ),
    );
    expect(webhookSetup({ ...setup, secrets: [] }, PLAIN)).to.include('set git.gitlab.webhook_secret to it');
  });

  it('show counts and times, a dash where nothing was measured', () => {
    expect(statsSheet(answers.getStats())).to.equal(
      text(
        'deployments      10',
        'succeeded        8',
        'failed           1',
        'rolled back      1',
        'cancelled        0',
        'superseded       0',
        'success rate     80.0 %',
        'duration         p50 12.3s, p95 1m 05s',
        'push to live     p50 30.0s',
        'time to restore  -',
      ),
    );
    expect(statsSheet({ ...answers.getStats(), successRate: undefined })).to.include('success rate     -');
  });
});

describe('views of what was done', () => {
  const answer = { revision: 4, changed: true, differences: ['checkout: new'], warnings: ['short secret'] };
  const cases: [typeof answer, boolean, string][] = [
    [answer, false, text('revision 4 applied:', '  checkout: new', 'warning: short secret')],
    [
      { ...answer, revision: 0 },
      true,
      text('this would change:', '  checkout: new', 'warning: short secret'),
    ],
    [
      { ...answer, changed: false, differences: [], warnings: [] },
      false,
      text('nothing changed: revision 4 is current'),
    ],
    [{ revision: 0, changed: false, differences: [], warnings: [] }, true, text('nothing would change')],
  ];
  for (const [given, dryRun, wanted] of cases) {
    it(`tell what applying did: ${wanted.split('\n')[0]}`, () =>
      expect(applied(given, dryRun, PLAIN)).to.equal(wanted));
  }

  it('tell what a policy allows now', () => {
    expect(allowed({ policy: '/p', added: { paths: ['/srv', '/opt'] } })).to.equal(
      text('/p now allows:', '  paths: /srv, /opt'),
    );
    expect(allowed({ policy: '/p', added: {} })).to.equal('/p allows this already\n');
  });

  it('tell findings with file, line and column', () => {
    const problem = {
      line: 2,
      column: 11,
      path: 'fraises.a.type',
      message: 'wanted is api, etl or scheduled',
    };
    const nothing = { file: 'f.yaml', fraises: 0, environments: 0, problems: [], warnings: [] };
    expect(validated({ ...nothing, valid: false, problems: [problem] }, PLAIN)).to.equal(
      text(
        'error: f.yaml:2:11: fraises.a.type: wanted is api, etl or scheduled',
        'f.yaml is not valid: 1 error',
      ),
    );
    expect(
      validated({ ...nothing, valid: true, fraises: 2, environments: 1, warnings: [problem] }, PLAIN),
    ).to.equal(
      text(
        'warning: f.yaml:2:11: fraises.a.type: wanted is api, etl or scheduled',
        'f.yaml is valid: 2 fraises, 1 environment',
      ),
    );
  });

  it('head output with where it comes from', () => {
    const line = {
      host: 'web-1',
      phase: 'release',
      step: 'restart',
      attempt: 1,
      offset: 0,
      data: Buffer.alloc(0),
      truncated: false,
      at: undefined,
    };
    expect(logHeading(line)).to.equal('── web-1 release restart');
    expect(logHeading({ ...line, attempt: 2 })).to.equal('── web-1 release restart (attempt 2)');
  });

  it('never show more of an old version than its short form', () => {
    expect(deploymentSummary(aDeployment(), PLAIN)).not.to.include(OLD_SHA);
  });
});
