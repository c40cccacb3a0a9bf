import { expect } from 'chai';
import { bitbucket } from '../../../controller/webhooks/bitbucket.js';
import type { PushEvents } from '../../../controller/webhooks/push-event.js';
import { FraisierError } from '../../../proto/error-codes.js';
import { examplePayload, signedExample } from '../../support/payloads.js';

type Payload = Readonly<Record<string, unknown>>;

function parse(event: string, payload: unknown, baseUrl = 'https://bitbucket.org'): PushEvents {
  return bitbucket.parse(Buffer.from(JSON.stringify(payload)), { 'x-event-key': event }, baseUrl);
}

function refused(event: string, payload: unknown): string {
  try {
    parse(event, payload);
  } catch (error) {
    if (error instanceof FraisierError && error.reason.code === 'unparseable') return error.message;
    throw error;
  }
  throw new Error('it was not refused');
}

describe('a signature of Bitbucket', () => {
  const { headers, body } = signedExample(examplePayload('bitbucket-cloud/push.json'), 'secret');

  it('is HMAC-SHA256 and nothing else', () => {
    const { 'x-hub-signature': given = '', ...without } = headers;
    expect(bitbucket.verify(body, without, ['secret'])).to.equal(null);
    for (const value of [given.slice(7), given.replace('sha256', 'sha1'), `${given}0`, 'sha256=']) {
      expect(bitbucket.verify(body, { ...without, 'x-hub-signature': value }, ['secret']), value).to.equal(
        null,
      );
    }
  });

  it('is missing only from the test of Data Center', () => {
    const test = examplePayload('bitbucket-data-center/test-button.json').headers;
    expect(bitbucket.isUnsignedTest?.(test)).to.equal(true);
    expect(bitbucket.isUnsignedTest?.({ ...test, 'x-hub-signature': 'sha256=0' })).to.equal(false);
    expect(bitbucket.isUnsignedTest?.({ 'x-event-key': 'repo:push' })).to.equal(false);
  });
});

describe('a delivery of Bitbucket Cloud', () => {
  const { payload } = examplePayload('bitbucket-cloud/push.json');
  const withChange = (change: unknown): Payload => ({ ...payload, push: { changes: [change] } });
  const [change] = (payload['push'] as { changes: Record<string, Payload>[] }).changes;
  const to = change?.['new'] ?? {};

  it('names its repository by name and page, and who pushed', () => {
    expect(parse('repo:push', payload)[0]).to.deep.include({
      repositoryUrls: ['https://bitbucket.org/acme/shop', 'https://bitbucket.org/acme/shop'],
      sender: 'anna',
    });
    const actor = { display_name: 'Anna Smith' };
    expect(parse('repo:push', { ...payload, actor })[0]).to.include({ sender: 'Anna Smith' });
    expect(parse('repo:push', { ...payload, actor: { username: 'old' } })[0]).to.include({ sender: 'old' });
    const unnamed = { links: { html: { href: 'https://bitbucket.org/x/y' } } };
    expect(parse('repo:push', { ...payload, repository: unnamed })[0]).to.deep.include({
      repositoryUrls: ['https://bitbucket.org/x/y'],
    });
  });

  it('without any change, or to what is neither branch nor tag, deploys nothing', () => {
    expect(parse('repo:push', { ...payload, push: { changes: [] } })).to.deep.equal([
      { kind: 'unknown', event: 'push without a change' },
    ]);
    expect(parse('repo:push', withChange({ ...change, new: { ...to, type: 'bookmark' } }))).to.deep.equal([
      { kind: 'unknown', event: 'push to a bookmark' },
    ]);
  });

  it('may lack the message of its head', () => {
    const target = { ...(to['target'] as Payload), message: null };
    expect(parse('repo:push', withChange({ ...change, new: { ...to, target } }))[0]).to.include({
      headMessage: null,
    });
  });

  it('is refused with what is wrong with it', () => {
    expect(refused('repo:push', { ...payload, push: {} })).to.match(/no `changes`/);
    expect(refused('repo:push', { ...payload, push: null })).to.match(/no `push`/);
    expect(refused('repo:push', withChange('x'))).to.match(/no object/);
    expect(refused('repo:push', withChange({}))).to.match(/no `old`/);
    expect(refused('repo:push', withChange({ ...change, old: 7 }))).to.match(/no `old`/);
    expect(refused('repo:push', { ...payload, repository: {} })).to.match(/no address/);
  });
});

describe('a delivery of Bitbucket Data Center', () => {
  const { payload } = examplePayload('bitbucket-data-center/push.json');

  it('names its repository by the addresses it is cloned from, and when it was made', () => {
    expect(parse('repo:refs_changed', payload)[0]).to.deep.include({
      repositoryUrls: [
        'ssh://git@bitbucket.example.com:7999/acme/shop.git',
        'https://bitbucket.example.com/scm/acme/shop.git',
      ],
      pushedAt: new Date('2026-01-11T23:58:11Z'),
    });
  });

  it('of an older version names it by project and name below `base_url`', () => {
    const older = examplePayload('bitbucket-data-center/push-older-version.json').payload;
    expect(parse('repo:refs_changed', older, 'https://bitbucket.example.com')[0]).to.deep.include({
      repositoryUrls: [
        'https://bitbucket.example.com/scm/ACME/shop.git',
        'https://bitbucket.example.com/ACME/shop.git',
      ],
    });
    const nameless = { ...older, repository: { project: { key: 'ACME' } } };
    expect(refused('repo:refs_changed', nameless)).to.match(/no address/);
  });

  it('finds the message of its head among the commits', () => {
    expect(parse('repo:refs_changed', { ...payload, toCommit: undefined })[0]).to.include({
      headMessage: 'Mend the basket',
    });
  });

  it('without any change deploys nothing, and with something else is refused', () => {
    expect(parse('repo:refs_changed', { ...payload, changes: [] })).to.deep.equal([
      { kind: 'unknown', event: 'push without a change' },
    ]);
    expect(refused('repo:refs_changed', { ...payload, changes: {} })).to.match(/no `changes`/);
    expect(refused('repo:refs_changed', { ...payload, changes: [null] })).to.match(/no object/);
  });
});
