import { createHmac } from 'node:crypto';
import { expect } from 'chai';
import { gitlab } from '../../../controller/webhooks/gitlab.js';
import type { Headers } from '../../../controller/webhooks/provider.js';
import type { PushEvent } from '../../../controller/webhooks/push-event.js';
import { examplePayload } from '../../support/payloads.js';

const PUSH = examplePayload('gitlab/push.json');
const BODY = Buffer.from(JSON.stringify(PUSH.payload));

function parse(event: string, payload: unknown): PushEvent {
  return gitlab.parse(Buffer.from(JSON.stringify(payload)), { 'x-gitlab-event': event }, '')[0];
}

describe('a secret token of GitLab', () => {
  const sent = (token: string | string[] | undefined): Headers => ({ 'x-gitlab-token': token });

  it('is the one that was sent, whatever its characters', () => {
    const secret = 'geheim-größer';
    const onTheWire = Buffer.from(secret).toString('latin1');
    expect(gitlab.verify(BODY, sent(onTheWire), ['other', secret])).to.deep.equal({ secretIndex: 1 });
    expect(gitlab.verify(BODY, sent('a'), ['a', 'a'])).to.deep.equal({ secretIndex: 0 });
  });

  it('is refused when it is missing, cut, longer or empty', () => {
    for (const token of [undefined, '', 'secre', 'secrett', ['secret']]) {
      expect(gitlab.verify(BODY, sent(token), ['secret', ''])).to.equal(null);
    }
  });
});

describe('a signing token of GitLab', () => {
  const key = Buffer.from('0123456789abcdef0123456789abcdef');
  const secret = `whsec_${key.toString('base64')}`;
  const signature = (body: Buffer, id: string, time: string): string =>
    `v1,${createHmac('sha256', key).update(`${id}.${time}.`).update(body).digest('base64')}`;
  const headers = {
    'webhook-id': 'id-1',
    'webhook-timestamp': '1768226251',
    'webhook-signature': signature(BODY, 'id-1', '1768226251'),
  };

  it('signs id, time and these very bytes', () => {
    expect(gitlab.verify(BODY, headers, ['whsec_AAAA', secret])).to.deep.equal({ secretIndex: 1 });
    expect(gitlab.verify(Buffer.concat([BODY, Buffer.from(' ')]), headers, [secret])).to.equal(null);
    for (const name of Object.keys(headers)) {
      expect(gitlab.verify(BODY, { ...headers, [name]: '' }, [secret]), name).to.equal(null);
      expect(gitlab.verify(BODY, { ...headers, [name]: 'x' }, [secret]), name).to.equal(null);
    }
  });

  it('is found among several signatures, as while it is replaced', () => {
    const several = { ...headers, 'webhook-signature': `v1,AAAA v2,x ${headers['webhook-signature']}` };
    expect(gitlab.verify(BODY, several, [secret])).to.deep.equal({ secretIndex: 0 });
  });

  it('is never taken as it is, and never without a key', () => {
    expect(gitlab.verify(BODY, { 'x-gitlab-token': secret }, [secret])).to.equal(null);
    const empty = `v1,${createHmac('sha256', '').update('id-1.1.').update(BODY).digest('base64')}`;
    const forged = { 'webhook-id': 'id-1', 'webhook-timestamp': '1', 'webhook-signature': empty };
    expect(gitlab.verify(BODY, forged, ['whsec_'])).to.equal(null);
  });
});

describe('the headers of GitLab', () => {
  it('name the delivery by what stays the same in every attempt', () => {
    const event = { 'x-gitlab-event': 'Push Hook' };
    const uuid = { 'x-gitlab-event-uuid': 'uuid' };
    const all = { ...event, ...uuid, 'idempotency-key': 'key', 'webhook-id': 'signed' };
    expect(gitlab.envelope(all)).to.deep.equal({ deliveryId: 'signed', event: 'Push Hook' });
    expect(gitlab.envelope({ ...event, ...uuid, 'idempotency-key': 'key' }).deliveryId).to.equal('key');
    expect(gitlab.envelope({ ...event, ...uuid })).to.deep.equal({
      deliveryId: 'uuid',
      event: 'Push Hook',
      idIsShared: true,
    });
  });
});

describe('a delivery of GitLab', () => {
  it('names its repository by every address, and who pushed', () => {
    expect(parse('Push Hook', PUSH.payload)).to.deep.include({
      repositoryUrls: [
        'https://gitlab.example.com/acme/shop.git',
        'git@gitlab.example.com:acme/shop.git',
        'https://gitlab.example.com/acme/shop',
        'https://gitlab.example.com/acme/shop.git',
        'git@gitlab.example.com:acme/shop.git',
      ],
      sender: 'anna',
      pushedAt: null,
    });
    const nameless = { ...PUSH.payload, user_username: undefined };
    expect(parse('Push Hook', nameless)).to.include({ sender: 'Anna Smith' });
  });

  it('of a tag without a checkout names what the tag stands on', () => {
    const { payload } = examplePayload('gitlab/tag.json');
    expect(parse('Tag Push Hook', { ...payload, checkout_sha: null })).to.include({
      kind: 'tag',
      commit: payload['after'],
    });
  });

  it('of a merge request may say little', () => {
    const { payload } = examplePayload('gitlab/merge-request.json');
    const bare = { ...payload, object_attributes: { state: 'opened' }, user: null };
    expect(parse('Merge Request Hook', bare)).to.deep.include({ number: null, action: 'opened', sender: '' });
  });

  it('of a whole installation is what its payload says', () => {
    const { payload } = examplePayload('gitlab/tag.json');
    expect(parse('System Hook', { ...payload, object_kind: undefined })).to.include({
      kind: 'tag',
      tag: 'v1.0.0',
    });
    expect(parse('System Hook', examplePayload('gitlab/merge-request.json').payload)).to.include({
      kind: 'pull_request',
    });
    expect(parse('System Hook', {})).to.deep.equal({ kind: 'unknown', event: 'System Hook' });
  });
});
