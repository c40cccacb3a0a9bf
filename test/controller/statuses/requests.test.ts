import { expect } from 'chai';
import { DEPLOYMENT_STATUSES } from '../../../controller/deployments/lifecycle.js';
import { PROVIDERS, type Provider } from '../../../controller/fraises/fraises.js';
import type { CommitStatus, StatusState } from '../../../controller/statuses/commit-status.js';
import { repositoryAt } from '../../../controller/statuses/repository-at.js';
import { STATUS_HOSTS } from '../../../controller/statuses/status-hosts.js';
import { statusOf } from '../../../controller/statuses/status-of.js';
import { COMMIT } from './git-host-server.js';

const STATUS: CommitStatus = {
  state: 'success',
  context: 'fraisier/a/b',
  description: 'd_1 succeeded',
  link: null,
};

function request(
  provider: Provider,
  baseUrl: string,
  more: Partial<CommitStatus> = {},
  repository = 'Acme/my shop',
) {
  const place = { baseUrl, repository, commit: COMMIT };
  const { url, headers, body } = STATUS_HOSTS[provider].requestOf(place, { ...STATUS, ...more }, 'TOKEN');
  return { url, headers, body: JSON.parse(body) as Record<string, string> };
}

describe('the request that tells a git host', () => {
  const ADDRESSES: readonly [Provider, string, string][] = [
    ['github', 'https://github.com', 'https://api.github.com/repos/Acme/my%20shop/statuses/'],
    ['github', 'https://acme.ghe.com', 'https://api.acme.ghe.com/repos/Acme/my%20shop/statuses/'],
    ['github', 'https://git.acme.com', 'https://git.acme.com/api/v3/repos/Acme/my%20shop/statuses/'],
    ['gitlab', 'https://gitlab.com', 'https://gitlab.com/api/v4/projects/Acme%2Fmy%20shop/statuses/'],
    ['gitlab', 'https://acme.com/git', 'https://acme.com/git/api/v4/projects/Acme%2Fmy%20shop/statuses/'],
    ['gitea', 'https://codeberg.org', 'https://codeberg.org/api/v1/repos/Acme/my%20shop/statuses/'],
    [
      'bitbucket',
      'https://bitbucket.org',
      'https://api.bitbucket.org/2.0/repositories/Acme/my%20shop/commit/',
    ],
    [
      'bitbucket',
      'https://b.acme.com',
      'https://b.acme.com/rest/api/latest/projects/Acme/repos/my%20shop/commits/',
    ],
  ];
  for (const [provider, baseUrl, wanted] of ADDRESSES) {
    it(`goes to the API of ${provider} at ${baseUrl}`, () => {
      expect(request(provider, baseUrl).url.startsWith(`${wanted}${COMMIT}`)).to.equal(true);
    });
  }

  it('has the token where each host looks for it', () => {
    expect(request('github', 'https://github.com').headers).to.include({ authorization: 'Bearer TOKEN' });
    expect(request('gitlab', 'https://gitlab.com').headers).to.include({ 'private-token': 'TOKEN' });
    expect(request('gitea', 'https://gitea.com').headers).to.include({ authorization: 'token TOKEN' });
    expect(request('bitbucket', 'https://bitbucket.org').headers).to.include({
      authorization: 'Bearer TOKEN',
    });
  });

  it('has a word of the host for every state', () => {
    const states: readonly StatusState[] = ['queued', 'running', 'success', 'failure', 'cancelled'];
    const words = (provider: Provider, baseUrl: string) =>
      states.map((state) => request(provider, baseUrl, { state }).body['state']);
    expect(words('github', 'https://github.com')).to.deep.equal([
      'pending',
      'pending',
      'success',
      'failure',
      'error',
    ]);
    expect(words('gitlab', 'https://gitlab.com')).to.deep.equal([
      'pending',
      'running',
      'success',
      'failed',
      'canceled',
    ]);
    expect(words('gitea', 'https://gitea.com')).to.deep.equal([
      'pending',
      'pending',
      'success',
      'failure',
      'error',
    ]);
    expect(words('bitbucket', 'https://bitbucket.org')).to.deep.equal([
      'INPROGRESS',
      'INPROGRESS',
      'SUCCESSFUL',
      'FAILED',
      'STOPPED',
    ]);
    expect(words('bitbucket', 'https://b.acme.com').at(-1)).to.equal('CANCELLED');
  });

  for (const provider of PROVIDERS) {
    it(`is no longer than ${provider} takes`, () => {
      const long = 'ü'.repeat(300);
      const { body } = request(provider, 'https://bitbucket.org', { description: long, context: long });
      expect(Array.from(body['description'] ?? '')).to.have.length(provider === 'github' ? 140 : 255);
      expect(body['description']).to.match(/^ü+…$/);
      expect(Array.from(body['context'] ?? body['name'] ?? '')).to.have.length(255);
    });
  }

  it('keeps two long contexts apart in the short keys of Bitbucket', () => {
    const key = (context: string) => request('bitbucket', 'https://bitbucket.org', { context }).body['key'];
    expect(key('fraisier/checkout/production')).to.equal('fraisier/checkout/production');
    const [one, other] = [key(`${'a'.repeat(50)}1`), key(`${'a'.repeat(50)}2`)];
    expect(one).to.have.length(40);
    expect(one).not.to.equal(other);
  });

  it('links to the deployment; without one Bitbucket, which wants a link, gets the commit’s own page', () => {
    const link = 'https://deploy.example.com/deployments/d_1';
    expect(request('github', 'https://github.com', { link }).body['target_url']).to.equal(link);
    expect(request('github', 'https://github.com').body).not.to.have.property('target_url');
    expect(request('gitlab', 'https://gitlab.com').body).not.to.have.property('target_url');
    expect(request('gitea', 'https://gitea.com').body).not.to.have.property('target_url');
    const page = request('bitbucket', 'https://b.acme.com', {}, 'scm/~ana/shop').body['url'];
    expect(page).to.equal(`https://b.acme.com/projects/~ana/repos/shop/commits/${COMMIT}`);
  });
});

describe('the path of a repository at its git host', () => {
  const CASES: readonly [string, string, string | null][] = [
    ['https://github.com', 'https://github.com/Acme/Shop.git', 'Acme/Shop'],
    ['https://github.com', 'https://git@github.com:443/Acme/Shop/', 'Acme/Shop'],
    ['https://github.com', 'git@github.com:Acme/Shop.git', 'Acme/Shop'],
    ['https://github.com', 'ssh://git@ssh.github.com:443/Acme/Shop.git', 'Acme/Shop'],
    ['https://gitlab.com', 'https://gitlab.com/group/sub/shop.git', 'group/sub/shop'],
    ['https://acme.com/git', 'https://acme.com/git/team/shop.git', 'team/shop'],
    ['https://acme.com/git', 'git@acme.com:team/shop.git', 'team/shop'],
    ['https://b.acme.com', 'https://b.acme.com/scm/PROJ/my%20shop.git', 'scm/PROJ/my shop'],
    ['https://b.acme.com', 'https://b.acme.com/scm/PROJ/100%.git', 'scm/PROJ/100%'],
    ['https://github.com', 'https://gitlab.com/Acme/Shop.git', null],
    ['https://github.com', 'https://github.com.evil.example.com/Acme/Shop.git', null],
    ['https://github.com', 'file:///github.com/Acme/Shop.git', null],
    ['https://srv', '/srv/acme/shop.git', null],
    ['https://github.com', 'https://github.com/shop', null],
    ['https://github.com', 'https://github.com/', null],
  ];
  for (const [baseUrl, repository, path] of CASES) {
    it(`is ${path ?? 'unknown'} for ${repository} at ${baseUrl}`, () => {
      expect(repositoryAt(baseUrl, repository)).to.equal(path);
    });
  }
});

describe('what is told of a deployment', () => {
  const deployment = { id: 'd_1', fraise: 'checkout', environment: 'production', kind: 'deploy' } as const;

  it('is a state for every status', () => {
    const told = DEPLOYMENT_STATUSES.map((status) => [status, statusOf(deployment, status, null).state]);
    expect(Object.fromEntries(told)).to.deep.equal({
      queued: 'queued',
      running: 'running',
      paused: 'running',
      rolling_back: 'running',
      succeeded: 'success',
      unchanged: 'success',
      failed: 'failure',
      rolled_back: 'failure',
      rollback_failed: 'failure',
      cancelled: 'cancelled',
      superseded: 'cancelled',
    });
  });

  it('is a success of the commit that a rollback went back to', () => {
    const rollback = { ...deployment, kind: 'rollback' } as const;
    expect(statusOf(rollback, 'rolled_back', 'https://d.example.com')).to.deep.equal({
      state: 'success',
      context: 'fraisier/checkout/production',
      description: 'd_1 went back to this commit',
      link: 'https://d.example.com/deployments/d_1',
    });
  });
});
