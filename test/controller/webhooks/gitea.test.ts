import { createHmac } from 'node:crypto';
import { expect } from 'chai';
import { gitea } from '../../../controller/webhooks/gitea.js';
import { examplePayload, signedExample } from '../../support/payloads.js';

const hex = (signed: string): string => createHmac('sha256', 'secret').update(signed).digest('hex');

describe('a delivery of Gitea, Forgejo or Gogs', () => {
  const push = examplePayload('gitea/push.json');

  it('as a form is signed over the payload inside', () => {
    const json = JSON.stringify({ ...push.payload, note: 'é & ü' });
    const body = Buffer.from(new URLSearchParams({ payload: json }).toString());
    const headers = { ...push.headers, 'content-type': 'application/x-www-form-urlencoded' };
    const signed = { ...headers, 'x-gitea-signature': hex(json) };
    expect(gitea.verify(body, signed, ['other', 'secret'])).to.deep.equal({ secretIndex: 1 });
    expect(gitea.parse(body, signed, '')[0]).to.include({ kind: 'push', branch: 'main' });
    const overForm = { ...headers, 'x-gitea-signature': hex(body.toString()) };
    expect(gitea.verify(body, overForm, ['secret'])).to.equal(null);
  });

  it('without a secret has an empty signature, which is none', () => {
    const { body, headers } = signedExample(push, 'secret');
    expect(
      gitea.verify(body, { ...headers, 'x-gitea-signature': '', 'x-gogs-signature': '' }, ['secret', '']),
    ).to.equal(null);
  });

  it('is named by the git host itself before those that it imitates', () => {
    const headers = { 'x-gogs-delivery': 'gogs', 'x-gitea-delivery': 'gitea', 'x-gogs-event': 'push' };
    expect(gitea.envelope(headers)).to.deep.equal({ deliveryId: 'gitea', event: 'push' });
    expect(gitea.envelope({ ...headers, 'x-forgejo-delivery': 'forgejo' }).deliveryId).to.equal('forgejo');
    expect(gitea.envelope({})).to.deep.equal({ deliveryId: '', event: '' });
  });

  it('of a new branch at Gogs deploys nothing: its push does', () => {
    const { headers, payload } = examplePayload('gogs/tag.json');
    const body = Buffer.from(JSON.stringify({ ...payload, ref_type: 'branch', sha: undefined }));
    expect(gitea.parse(body, headers, '')).to.deep.equal([{ kind: 'unknown', event: 'create' }]);
  });

  it('of another event is stored as what it is', () => {
    const headers = { ...push.headers, 'x-gitea-event': 'fork' };
    const body = Buffer.from('{}');
    expect(gitea.parse(body, headers, '')).to.deep.equal([{ kind: 'unknown', event: 'fork' }]);
  });
});
