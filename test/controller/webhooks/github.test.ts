import { createHmac } from 'node:crypto';
import { expect } from 'chai';
import { FraisierError } from '../../../proto/error-codes.js';
import { github } from '../../../controller/webhooks/github.js';
import type { Headers } from '../../../controller/webhooks/provider.js';
import type { PushEvent } from '../../../controller/webhooks/push-event.js';
import { exampleEvents, pushPayload, signedDelivery, signedPush } from '../../support/github.js';

const SHA = '6113728f27ae82c7b1a177c8d03f9e96e0adf246';
const PUSH = { repository: 'https://github.com/acme/shop.git', branch: 'main', commit: SHA };

function parse(event: string, payload: unknown, form = false): PushEvent {
  const { headers, body } = signedDelivery({ event, payload, secret: 's', form });
  return github.parse(body, headers, '')[0];
}

function refusal(work: () => unknown): string {
  try {
    work();
  } catch (error) {
    if (error instanceof FraisierError && error.reason.code === 'unparseable') return error.message;
    throw error;
  }
  throw new Error('it was not refused');
}

describe('a signature of GitHub', () => {
  const { headers, body } = signedPush({ ...PUSH, secret: 'second' });
  const signedAs = (value: string): Headers => ({ ...headers, 'x-hub-signature-256': value });

  it('is that of the secret which signed these very bytes', () => {
    expect(github.verify(body, headers, ['first', 'second'])).to.deep.equal({ secretIndex: 1 });
    expect(github.verify(body, headers, ['first'])).to.equal(null);
    expect(github.verify(body, headers, [])).to.equal(null);
  });

  it('is over the bytes, not over what they mean', () => {
    const spaced = Buffer.concat([body, Buffer.from(' ')]);
    expect(github.verify(spaced, headers, ['second'])).to.equal(null);
  });

  it('is refused when it is missing, cut, of another kind or no hexadecimal', () => {
    const sha1 = createHmac('sha1', 'second').update(body).digest('hex');
    const { 'x-hub-signature-256': given = '', ...without } = headers;
    expect(github.verify(body, without, ['second'])).to.equal(null);
    for (const value of [
      '',
      given.slice(0, -1),
      `${given}0`,
      given.slice(7),
      `sha1=${sha1}`,
      `sha256=${'z'.repeat(64)}`,
    ]) {
      expect(github.verify(body, signedAs(value), ['second']), value).to.equal(null);
    }
  });

  it('is never that of an empty secret', () => {
    const forged = `sha256=${createHmac('sha256', '').update(body).digest('hex')}`;
    expect(github.verify(body, signedAs(forged), [''])).to.equal(null);
  });
});

describe('the headers of GitHub', () => {
  it('are told from those of git hosts that imitate them', () => {
    expect(github.detect({ 'x-github-event': 'push' })).to.equal(true);
    expect(github.detect({})).to.equal(false);
    expect(github.detect({ 'x-github-event': 'push', 'x-gitea-event': 'push' })).to.equal(false);
    expect(github.detect({ 'x-github-event': 'push', 'x-gogs-event': 'push' })).to.equal(false);
    expect(github.detect({ 'x-github-event': 'push', 'x-forgejo-event': 'push' })).to.equal(false);
  });

  it('name the delivery and its event, bounded and without control characters', () => {
    const headers = { 'x-github-delivery': `a\u0007${'b'.repeat(500)}`, 'x-github-event': ['push', 'ping'] };
    expect(github.envelope(headers)).to.deep.equal({ deliveryId: `a${'b'.repeat(198)}`, event: 'push' });
    expect(github.envelope({ 'x-github-event': [] })).to.deep.equal({ deliveryId: '', event: '' });
  });
});

describe('every example of GitHub', () => {
  for (const { name, examples } of exampleEvents()) {
    it(`${name}: is understood as what it is (${examples.length})`, () => {
      for (const payload of examples) {
        const event = parse(name, payload);
        expect(parse(name, payload, true), 'as a form').to.deep.equal(event);
        expect(event.kind).to.equal(expectedKind(name, payload));
      }
    });
  }

  function expectedKind(name: string, payload: Readonly<Record<string, unknown>>): PushEvent['kind'] {
    const tag = String(payload['ref']).startsWith('refs/tags/') || payload['ref_type'] === 'tag';
    if (name === 'ping') return 'ping';
    if (name === 'delete' || (name === 'push' && payload['deleted'] === true))
      return tag ? 'tag_deleted' : 'branch_deleted';
    if (name === 'push') return tag ? 'tag' : 'push';
    return name === 'pull_request' ? 'pull_request' : 'unknown';
  }
});

describe('a push of GitHub', () => {
  it('tells branch, commit, what was there before, who and when', () => {
    const payload = pushPayload({
      ...PUSH,
      before: 'A'.repeat(40),
      forced: true,
      pushedAt: new Date('2026-11-01T12:00:00.700Z'),
    });
    expect(parse('push', payload)).to.deep.equal({
      kind: 'push',
      branch: 'main',
      commit: SHA,
      before: 'a'.repeat(40),
      forced: true,
      repositoryUrls: [
        'https://github.com/acme/shop.git',
        'git@github.com:acme/shop.git',
        'https://github.com/acme/shop',
        'git://github.com/acme/shop.git',
      ],
      sender: 'Codertocat',
      pushedAt: new Date('2026-11-01T12:00:00Z'),
      headMessage: 'Initial commit',
      changedPaths: ['README.md'],
    });
  });

  it('tells every changed path, or none where it may not name them all', () => {
    const { head_commit: head, ...payload } = pushPayload(PUSH);
    const commits = (count: number, more = {}): object[] =>
      Array.from({ length: count }, (_, i) => ({
        id: i === 0 ? SHA : `other ${i}`,
        added: [`a${i}`],
        modified: ['same'],
        removed: null,
        ...more,
      }));
    const changed = (list: unknown): unknown =>
      parse('push', { ...payload, head_commit: head, commits: list });
    expect(changed(commits(2))).to.deep.include({ changedPaths: ['a0', 'same', 'a1'] });
    expect(changed(commits(21)))
      .to.have.property('changedPaths')
      .that.has.length(22);
    for (const list of [
      commits(20),
      commits(2048),
      commits(2).slice(1),
      [],
      null,
      commits(1, { added: undefined, modified: null }),
      commits(1, { added: 'a' }),
      commits(1, { added: [7] }),
      commits(1, { added: Array.from({ length: 3000 }, (_, i) => `${i}`) }),
    ]) {
      expect(changed(list)).to.include({ changedPaths: null });
    }
  });

  it('finds the message of its head also among the commits', () => {
    const payload = { ...pushPayload(PUSH), head_commit: null };
    expect(parse('push', payload)).to.include({ headMessage: 'Initial commit' });
    expect(parse('push', { ...payload, commits: [{ id: SHA, message: 7 }] })).to.include({
      headMessage: null,
    });
  });

  it('that changes nothing is the test button of a git host like it', () => {
    const payload = { ...pushPayload(PUSH), before: SHA };
    expect(parse('push', payload)).to.deep.equal({ kind: 'ping' });
  });

  it('to a branch or a tag without a name deploys nothing', () => {
    for (const ref of ['refs/heads/', 'refs/tags/']) {
      expect(parse('push', { ...pushPayload(PUSH), ref }).kind).to.equal('unknown');
    }
  });

  it('of an annotated tag tells the commit, not the tag object', () => {
    const payload = { ...pushPayload(PUSH), ref: 'refs/tags/v1', after: 'b'.repeat(40) };
    expect(parse('push', payload)).to.include({ kind: 'tag', tag: 'v1', commit: SHA });
    expect(parse('push', { ...payload, head_commit: null })).to.include({ commit: 'b'.repeat(40) });
  });

  it('keeps slashes in branches and reads SHA-256 repositories', () => {
    const payload = pushPayload({ ...PUSH, branch: 'feature/a/b', commit: 'c'.repeat(64) });
    expect(parse('push', payload)).to.include({ branch: 'feature/a/b', commit: 'c'.repeat(64) });
  });

  it('of a branch that is gone is a deletion, by the flag or by the zeros', () => {
    const payload = pushPayload(PUSH);
    expect(parse('push', { ...payload, deleted: true }).kind).to.equal('branch_deleted');
    expect(parse('push', { ...payload, after: '0'.repeat(40) }).kind).to.equal('branch_deleted');
    expect(parse('delete', { ...payload, ref: 'main', ref_type: 'branch' })).to.include({
      kind: 'branch_deleted',
      branch: 'main',
    });
  });

  it('to a ref that is neither branch nor tag deploys nothing', () => {
    const payload = { ...pushPayload(PUSH), ref: 'refs/notes/commits' };
    expect(parse('push', payload)).to.deep.equal({ kind: 'unknown', event: 'push to refs/notes/commits' });
  });

  it('may lack a sender and a time', () => {
    const { repository, ...rest } = pushPayload(PUSH);
    const payload = { ...rest, sender: undefined };
    const at = (pushed_at: unknown, more = {}): PushEvent =>
      parse('push', { ...payload, repository: { ...(repository as object), pushed_at }, ...more });
    expect(at(undefined)).to.include({ sender: 'Codertocat', pushedAt: null });
    expect(at('2026-11-01T12:00:00Z')).to.deep.include({ pushedAt: new Date('2026-11-01T12:00:00Z') });
    for (const time of ['yesterday', -5, 1e300]) expect(at(time)).to.include({ pushedAt: null });
    expect(at(0, { pusher: null })).to.include({ sender: '' });
    expect(at(0, { pusher: { name: 7 } })).to.include({ sender: '' });
    expect(at(0, { sender: { login: 'a\u0000b' } })).to.include({ sender: 'ab' });
  });

  it('is refused with what is wrong with it', () => {
    const payload = pushPayload(PUSH);
    const repository = payload['repository'] as object;
    const wrong = (change: object): string => refusal(() => parse('push', { ...payload, ...change }));
    for (const ref of [undefined, 7, '', 'x'.repeat(1025), 'refs/heads/a\u0000b', 'refs/heads/\ud800']) {
      expect(wrong({ ref })).to.match(/`ref` is not the name of a ref/);
    }
    for (const after of [undefined, 7, '', SHA.slice(1), `${SHA}0`, 'g'.repeat(40)]) {
      expect(wrong({ after })).to.match(/`after` is not the full SHA/);
    }
    expect(wrong({ before: null })).to.match(/`before`/);
    for (const none of [null, [], 'x']) expect(wrong({ repository: none })).to.match(/no `repository`/);
    const noUrls = { ...repository, clone_url: 1, ssh_url: '', html_url: null, git_url: undefined };
    expect(wrong({ repository: noUrls })).to.match(/no address/);
    expect(wrong({ ref: 'refs/tags/v1', head_commit: {} })).to.match(/`id` is not the full SHA/);
  });

  it('is refused when it is no JSON object', () => {
    const body = (text: string, type = 'application/json'): string =>
      refusal(() => github.parse(Buffer.from(text), { 'x-github-event': 'push', 'content-type': type }, ''));
    expect(body('')).to.match(/not JSON/);
    expect(body('{"ref":')).to.match(/not JSON/);
    for (const text of ['null', '[]', '"x"', '1']) expect(body(text)).to.match(/not a JSON object/);
    expect(body('a=b', 'application/x-www-form-urlencoded; charset=utf-8')).to.match(/no field `payload`/);
    expect(body('payload=%7B', 'application/x-www-form-urlencoded')).to.match(/not JSON/);
  });
});
