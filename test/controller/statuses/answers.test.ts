import { expect } from 'chai';
import { MOST_ATTEMPTS, waitAfter } from '../../../controller/statuses/back-off.js';
import { judgeAnswer, type Verdict } from '../../../controller/statuses/judge-answer.js';
import { sendStatus } from '../../../controller/statuses/send-status.js';
import { at, NOON } from '../../support/builders.js';

const HOUR_MS = 3_600_000;

function judged(status: number, headers: Record<string, string> = {}, text = ''): Verdict {
  return judgeAnswer({ status, headers: new Headers(headers), text }, NOON);
}

describe('the answer of a git host', () => {
  it('is final or not by its status', () => {
    const is = (verdict: Verdict['is'], statuses: readonly number[]) =>
      expect(statuses.map((status) => judged(status).is)).to.deep.equal(statuses.map(() => verdict));
    is('taken', [200, 201, 202, 204]);
    is('refused', [301, 302, 307, 308, 400, 401, 403, 404, 405, 410, 413, 422]);
    is('later', [408, 409, 425, 429, 500, 502, 503, 504]);
  });

  it('says when to come again, in seconds, as a date or as GitHub does', () => {
    const wait = (status: number, headers: Record<string, string>) =>
      (judged(status, headers) as { hostAfterMs?: number | null }).hostAfterMs;
    expect(wait(429, {})).to.equal(null);
    expect(wait(429, { 'retry-after': '120' })).to.equal(120_000);
    expect(wait(503, { 'retry-after': at(60).toUTCString() })).to.equal(60_000);
    expect(wait(429, { 'retry-after': 'soon' })).to.equal(null);
    expect(wait(429, { 'retry-after': '0' })).to.equal(1000);
    expect(wait(429, { 'retry-after': '99999999' })).to.equal(24 * HOUR_MS);
    const spent = { 'x-ratelimit-remaining': '0', 'x-ratelimit-reset': String(Number(at(300)) / 1000) };
    expect(wait(403, spent)).to.equal(300_000);
    expect(judged(403, spent).is).to.equal('later');
    expect(judged(403, { ...spent, 'x-ratelimit-remaining': '7' }).is).to.equal('refused');
    expect(judged(403, { 'x-ratelimit-remaining': '0' }).is).to.equal('refused');
  });

  it('gives its own words as the reason, on one line and cut short', () => {
    const why = (text: string) => (judged(404, {}, text) as { why?: string }).why;
    expect(why('{"message":"404 Project Not Found"}')).to.equal('404 404 Project Not Found');
    expect(why('{"type":"error","error":{"message":"no\tsuch\u0007 thing"}}')).to.equal('404 no such thing');
    expect(why(`{"message":"${'x'.repeat(500)}"}`)).to.equal('404');
    expect(why('<html>')).to.equal('404');
  });
});

describe('the wait between attempts', () => {
  it('doubles up to four hours, gives up after about a day, and is never the same for all', () => {
    const waits = Array.from({ length: MOST_ATTEMPTS }, (_, i) => waitAfter(i + 1, 0.5));
    expect(waits.slice(0, 4)).to.deep.equal([30_000, 60_000, 120_000, 240_000]);
    expect(waits.slice(-3)).to.deep.equal([4 * HOUR_MS, 4 * HOUR_MS, null]);
    const all = waits.reduce<number>((sum, wait) => sum + (wait ?? 0), 0);
    expect(all / HOUR_MS).to.be.within(18, 30);
    expect([waitAfter(1, 0), waitAfter(1, 1)]).to.deep.equal([22_500, 37_500]);
  });
});

describe('sending', () => {
  const request = { url: 'http://127.0.0.1:9/', headers: {}, body: '{}', knownAlready: null };
  const edges = { now: () => NOON, timeoutMs: 1000, stopping: new AbortController().signal };

  it('reads no more of an answer than its beginning', async () => {
    let read = 0;
    const endless = new ReadableStream<Uint8Array>({
      pull: (controller) => {
        read += 1;
        controller.enqueue(new Uint8Array(1024).fill(120));
      },
    });
    const transport = () => Promise.resolve(new Response(endless, { status: 404 }));
    expect(await sendStatus({ ...edges, transport }, request, 't')).to.deep.equal({
      is: 'refused',
      why: '404',
    });
    expect(read).to.be.within(4, 8);
  });

  it('needs no body, and names an error by its code alone', async () => {
    const transport = () => Promise.resolve(new Response(null, { status: 204 }));
    expect(await sendStatus({ ...edges, transport }, request, 't')).to.deep.equal({ is: 'taken' });
    const failing = (error: Error) =>
      sendStatus({ ...edges, transport: () => Promise.reject(error) }, request, 't');
    const later = { is: 'later', hostAfterMs: null };
    expect(await failing(Object.assign(new Error('t'), { code: 'EHOSTUNREACH' }))).to.deep.equal({
      ...later,
      why: 'no answer: EHOSTUNREACH',
    });
    expect(await failing(new TypeError('secret t'))).to.deep.equal({
      ...later,
      why: 'no answer: connection failed',
    });
  });
});
