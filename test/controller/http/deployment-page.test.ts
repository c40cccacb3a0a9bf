import { expect } from 'chai';
import { reason } from '../../../proto/error-codes.js';
import type { Ledger } from '../../../controller/deployments/ledger.js';
import { statusOf } from '../../../controller/statuses/status-of.js';
import { newDeployment } from '../db/samples.js';
import { memoryStore, withHttp } from '../webhooks/support.js';

describe('the page of a deployment', () => {
  async function page(id: string, prepare: (ledger: Ledger) => Promise<unknown>): Promise<Response> {
    const { ledger } = await memoryStore();
    await prepare(ledger);
    return withHttp(ledger, async ({ url }) => {
      const response = await fetch(`${url}/deployments/${id}`);
      return new Response(await response.text(), response);
    });
  }

  it('says how it is, and how to see the rest; it is kept by nobody on the way', async () => {
    const response = await page('d_1', (ledger) =>
      ledger.insertDeployment(newDeployment({ id: 'd_1', fraise: 'shop', environment: 'staging' })),
    );
    expect(response.status).to.equal(200);
    expect(response.headers.get('content-type')).to.equal('text/html; charset=utf-8');
    expect(response.headers.get('cache-control')).to.equal('no-store');
    expect(response.headers.get('x-robots-tag')).to.equal('noindex');
    const html = await response.text();
    for (const said of ['<h1>d_1 is waiting</h1>', 'shop', 'staging', 'c'.repeat(40), 'fraisier show d_1'])
      expect(html).to.include(said);
    expect(html).to.match(/<dt>queued<\/dt><dd><time datetime="\d{4}-[^"]+Z">/);
    expect(html).not.to.match(/started|ended|reason/);
  });

  it('says why only by the kind of reason: the sentence may hold output, hosts and people', async () => {
    const response = await page('d_2', async (ledger) => {
      await ledger.insertDeployment(newDeployment({ id: 'd_2', requestedBy: 'ana', ref: 'secret-branch' }));
      await ledger.moveDeployment('d_2', 'queued', 'running', { started: true });
      const why = reason('run_failed', 'install on web-1: password is hunter2', { hint: 'ask ana' });
      await ledger.moveDeployment('d_2', 'running', 'failed', { reason: why, finished: true });
    });
    const html = await response.text();
    expect(html).to.include('<dt>reason</dt><dd>run failed</dd>').and.include('<h1>d_2 failed</h1>');
    expect(html).to.match(/<dt>started<\/dt>[^]*<dt>ended<\/dt>/);
    expect(html).not.to.match(/hunter2|web-1|ana|secret-branch/);
  });

  it('is where the link of a commit status leads', async () => {
    const { ledger } = await memoryStore();
    const row = await ledger.insertDeployment(newDeployment({ id: 'd_4' }));
    await withHttp(ledger, async ({ url }) => {
      const { link } = statusOf(row, 'queued', url);
      expect((await fetch(link as string)).status).to.equal(200);
    });
  });

  it('is text, whatever its names are', async () => {
    const response = await page('d_3', (ledger) =>
      ledger.insertDeployment(newDeployment({ id: 'd_3', fraise: `<script>alert("x" & 'y')</script>` })),
    );
    const html = await response.text();
    expect(html).to.include('&lt;script&gt;alert(&quot;x&quot; &amp; &#39;y&#39;)&lt;/script&gt;');
    expect(html).not.to.include('<script');
  });

  it('of one that is not there is not there, whatever its id; an id of another form is not even looked for', async () => {
    const looked: string[] = [];
    const { ledger } = await memoryStore();
    const watched: Ledger = { ...ledger, deployment: (id) => (looked.push(id), ledger.deployment(id)) };
    await withHttp(watched, async ({ url }) => {
      for (const id of ['d_none', 'w_1', '%3Cscript%3E', 'd_%00', `d_${'x'.repeat(65)}`]) {
        const response = await fetch(`${url}/deployments/${id}`);
        expect(response.status, id).to.equal(404);
        expect(await response.json()).to.include({ error_type: 'not_found' });
      }
      expect((await fetch(`${url}/deployments`)).status).to.equal(404);
    });
    expect(looked).to.deep.equal(['d_none']);
  });
});
