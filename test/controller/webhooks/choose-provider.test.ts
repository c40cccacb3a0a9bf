import { expect } from 'chai';
import { chooseProvider } from '../../../controller/webhooks/choose-provider.js';
import type { Headers } from '../../../controller/webhooks/provider.js';

describe('the git host of a delivery', () => {
  const refusal = (name: string | undefined, headers: Headers) => () => chooseProvider(name, headers);

  it('is the one that was named, otherwise the one that the headers show', () => {
    expect(chooseProvider('github', {}).name).to.equal('github');
    expect(chooseProvider(undefined, { 'x-github-event': 'push' }).name).to.equal('github');
    expect(chooseProvider('github', { 'x-gitlab-event': 'Push Hook' }).name).to.equal('github');
  });

  it('is told from those whose headers it sends too', () => {
    const event = (...hosts: string[]): Headers =>
      Object.fromEntries(hosts.map((host) => [`x-${host}-event`, 'push']));
    expect(chooseProvider(undefined, event('gitea', 'gogs', 'github')).name).to.equal('gitea');
    expect(chooseProvider(undefined, event('forgejo', 'gitea', 'gogs', 'github')).name).to.equal('gitea');
    expect(chooseProvider(undefined, event('gogs')).name).to.equal('gitea');
    expect(chooseProvider(undefined, event('gitlab')).name).to.equal('gitlab');
    expect(chooseProvider(undefined, { 'x-event-key': 'repo:push' }).name).to.equal('bitbucket');
  });

  it('is refused when nobody knows it', () => {
    expect(refusal('sourceforge', {})).to.throw('there is no such git host');
    expect(refusal('', {})).to.throw('there is no such git host');
    expect(refusal(undefined, {})).to.throw(/do not show which git host/);
  });
});
