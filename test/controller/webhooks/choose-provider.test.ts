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

  it('is refused by name while this version does not understand it', () => {
    const told = /deliveries of gitlab are not available in this version/;
    expect(refusal('gitlab', {})).to.throw(told);
    expect(refusal(undefined, { 'x-gitlab-event': 'Push Hook' })).to.throw(told);
    expect(refusal(undefined, { 'x-gitea-event': 'push', 'x-github-event': 'push' })).to.throw(/gitea/);
    expect(refusal(undefined, { 'x-event-key': 'repo:push' })).to.throw(/bitbucket/);
  });

  it('is refused when nobody knows it', () => {
    expect(refusal('sourceforge', {})).to.throw('there is no such git host');
    expect(refusal('', {})).to.throw('there is no such git host');
    expect(refusal(undefined, {})).to.throw(/do not show which git host/);
  });
});
