import { expect } from 'chai';
import type { Cluster } from '../support/cluster.js';
import { startCluster } from '../support/cluster.js';
import { signedPush, type PushToSign } from '../support/github.js';
import { until } from '../support/until.js';
import { aRepository, type TestRepository } from '../agent/steps/a-repository.js';
import { ended, SECRET } from './deploying.js';

interface Delivered {
  readonly id: string;
  readonly verdict: string;
  readonly deployments: readonly string[];
  readonly reason?: { readonly code: string; readonly message: string };
}

describe('pushes that cannot say everything, with real git and a real agent', function () {
  this.timeout(180_000);
  let cluster: Cluster;
  let origin: TestRepository;

  before(async () => {
    cluster = await startCluster({ onTestServer: true, environment: { GITHUB_WEBHOOK_SECRET: SECRET } });
    origin = aRepository(cluster.folder);
    const environment = (name: string, more: string) =>
      `      ${name}: { script_path: run.sh, app_path: "${cluster.apps}/${name}", hosts: [web-1], ${more} }\n`;
    await cluster.apply(
      'git: { github: { webhook_secret: "${GITHUB_WEBHOOK_SECRET}" } }\n' +
        `fraises:\n  job:\n    type: etl\n    repository: "${origin.folder}"\n    environments:\n` +
        environment('part', 'branch: main, paths: ["part/**"]') +
        environment('whole', 'branch: next') +
        environment('missed', 'branch: quiet, missed_push_check: 10s, missed_push: deploy'),
    );
  });

  after(async () => await cluster.stop());

  const commit = (files: Readonly<Record<string, string>>) =>
    origin.commit({ 'run.sh': '#!/bin/sh\ntrue\n', ...files });

  async function send(push: Omit<PushToSign, 'repository' | 'secret'>): Promise<Delivered> {
    const { headers, body } = signedPush({ repository: origin.folder, secret: SECRET, ...push });
    const answer = await fetch(`${cluster.http}/webhook`, {
      method: 'POST',
      headers,
      body: new Uint8Array(body),
    });
    expect(answer.status).to.equal(202);
    const { webhook_id: id } = (await answer.json()) as { webhook_id: string };
    const delivered = () => cluster.control.ask('getWebhook', { id, withBody: false });
    await until('it to be settled', async () => (await delivered()).verdict !== 'pending');
    return (await delivered()) as Delivered;
  }

  const live = async (environment: string): Promise<string> => {
    const [one] = (await cluster.control.ask('getStatus', { fraise: 'job', environment })).environments;
    return one?.wantedVersion ?? '';
  };

  it('forced ones are deployed or left out as the repository says what changed', async () => {
    const first = commit({ 'part/a': '1' });
    const begun = await send({ branch: 'main', commit: first });
    expect(begun.reason?.code).to.equal('paths_unknown');
    expect((await ended(cluster, begun.deployments[0] as string)).status).to.equal('succeeded');

    const second = commit({ 'docs/a': '1' });
    const beside = await send({ branch: 'main', commit: second, before: first, forced: true });
    expect([beside.verdict, beside.reason?.code]).to.deep.equal(['ignored', 'paths_unchanged']);

    const third = commit({ 'part/a': '2' });
    const touching = await send({ branch: 'main', commit: third, before: second, forced: true });
    expect((await ended(cluster, touching.deployments[0] as string)).status).to.equal('succeeded');
    expect(await live('part')).to.equal(third);
  });

  it('an older one that is told late takes nothing back', async () => {
    const [zero, one, two] = ['0', '1', '2'].map((n) => commit({ n })) as [string, string, string];
    const pushedAt = new Date();
    const newer = await send({ branch: 'next', commit: two, before: one, pushedAt });
    expect((await ended(cluster, newer.deployments[0] as string)).status).to.equal('succeeded');
    const older = await send({ branch: 'next', commit: one, before: zero, pushedAt });
    const shown = await ended(cluster, older.deployments[0] as string);
    expect([shown.status, shown.reason?.code]).to.deep.equal(['superseded', 'superseded']);
    expect(await live('whole')).to.equal(two);
  });

  it('one that no delivery told is noticed, recorded and deployed', async () => {
    const missed = commit({ quiet: '1' });
    origin.git('branch', 'quiet');
    await until('it to be live', async () => (await live('missed')) === missed, { timeoutMs: 60_000 });
    const { webhooks } = await cluster.control.ask('listWebhooks', {
      ...{ limit: 10, cursor: '', verdict: '', fraise: '', since: undefined },
    });
    const [recorded] = webhooks.filter((one) => one.event === 'missed_push');
    expect(recorded).to.include({ branch: 'quiet', commit: missed, verdict: 'deployed' });
  });
});
