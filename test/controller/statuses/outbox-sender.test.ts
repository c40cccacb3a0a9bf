import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'chai';
import { PROVIDERS, type Provider } from '../../../controller/fraises/fraises.js';
import { MOST_ATTEMPTS } from '../../../controller/statuses/back-off.js';
import { until } from '../../support/until.js';
import {
  COMMIT,
  startGitHost,
  type GitHostServer,
  type Misbehaviour,
  type StatusApi,
} from './git-host-server.js';
import { configurationFor, StatusLab, STORES, type KeptNotification } from './lab.js';
import { APIS, BITBUCKET_CLOUD, CANARY } from './status-apis.js';

for (const [where, openStore] of Object.entries(STORES)) {
  describe(`commit statuses, from an outbox ${where}`, function () {
    this.timeout(30_000);
    let lab: StatusLab;
    let hosts: GitHostServer[];

    beforeEach(async () => {
      lab = new StatusLab(await openStore());
      hosts = [];
    });
    afterEach(async () => {
      for (const host of hosts) host.release();
      await lab.close();
      await Promise.all(hosts.map((host) => host.close()));
    });

    async function host(api: StatusApi): Promise<GitHostServer> {
      const started = await startGitHost(api);
      hosts.push(started);
      return started;
    }
    /** One git host of this kind, configured. */
    async function hostOf(provider: Provider): Promise<GitHostServer> {
      const started = await host(APIS[provider]);
      await lab.configure(configurationFor({ [provider]: started.url }));
      return started;
    }
    const settled = (count: number): Promise<readonly KeptNotification[]> =>
      until('the outbox to be empty', async () => {
        const rows = await lab.store.outbox();
        return rows.length >= count && rows.every((row) => row.outcome !== null) && rows;
      });
    const firstError = (): Promise<KeptNotification> =>
      until('a failed attempt', async () => (await lab.store.outbox()).find((row) => row.error !== null));

    for (const provider of PROVIDERS) {
      it(`tells ${provider} of a deployment from the queue to its end`, async () => {
        const server = await hostOf(provider);
        lab.start();
        const deployment = await lab.deployment(provider);
        for (const [i, status] of (['queued', 'running', 'succeeded'] as const).entries()) {
          await lab.tell(deployment, status);
          await settled(i + 1);
        }
        expect((await lab.store.outbox()).map((row) => row.outcome)).to.deep.equal(['sent', 'sent', 'sent']);
        expect(server.received.map(({ body }) => body['state'])).to.deep.equal(
          {
            github: ['pending', 'pending', 'success'],
            gitlab: ['pending', 'running', 'success'],
            gitea: ['pending', 'pending', 'success'],
            bitbucket: ['INPROGRESS', 'INPROGRESS', 'SUCCESSFUL'],
          }[provider],
        );
        const [{ body } = { body: {} as Record<string, string> }] = server.received.slice(-1);
        expect(body['context'] ?? body['name']).to.equal(`fraisier/on-${provider}/production`);
        expect(body['target_url'] ?? body['url']).to.equal('https://deploy.example.com/deployments/d_1');
        expect(body['description']).to.equal('d_1 succeeded');
        expect(lab.logged).to.deep.equal([]);
      });
    }

    it('tells Bitbucket Cloud, on the address of its API', async () => {
      const server = await host(BITBUCKET_CLOUD);
      await lab.configure(configurationFor({ bitbucket: 'https://bitbucket.org' }));
      const transport: typeof fetch = (url, init) =>
        fetch((url as string).replace('https://api.bitbucket.org', server.url), init);
      const environment = { STATUS_TOKEN: `x-token:${CANARY}\n` };
      lab.start({}, { transport, environment, publicUrl: null });
      await lab.tell(await lab.deployment('bitbucket'), 'cancelled');
      expect(await settled(1)).to.deep.include.members([
        {
          number: 1,
          outcome: 'sent',
          attempts: 1,
          error: null,
          inHand: false,
          status: 'cancelled',
          deployment: 'd_1',
        },
      ]);
      expect(server.received[0]?.body).to.deep.equal({
        key: 'fraisier/on-bitbucket/production',
        name: 'fraisier/on-bitbucket/production',
        state: 'STOPPED',
        description: 'd_1 was cancelled',
        url: `https://bitbucket.org/acme/checkout/commits/${COMMIT}`,
      });
    });

    it('takes GitLab’s refusal of a status it has already for an answer', async () => {
      const server = await hostOf('gitlab');
      const body = `{"message":"Cannot transition status via :enqueue from :pending (Reason(s): …)"}`;
      server.misbehave = () => ({ status: 400, body });
      lab.start();
      await lab.tell(await lab.deployment('gitlab'), 'queued');
      expect((await settled(1))[0]).to.include({ outcome: 'sent', attempts: 1 });
    });

    const REFUSALS: readonly [string, Misbehaviour & object, string][] = [
      [
        '401, a token that is not good',
        { status: 401, body: '{"message":"Bad credentials"}' },
        '401 Bad credentials',
      ],
      [
        '403, a token that may not',
        { status: 403, body: '{"message":"Resource not accessible"}' },
        '403 Resource not accessible',
      ],
      [
        '404, a repository it does not see',
        { status: 404, body: '{"message":"Not Found"}' },
        '404 Not Found',
      ],
      [
        '422, a commit it does not have',
        { status: 422, body: '{"message":"No commit found"}' },
        '422 No commit found',
      ],
      ['400 without a word', { status: 400, body: 'no json' }, '400'],
      [
        'a redirect, which is not followed',
        { status: 301, headers: { location: '/api/v3/repositories/1/statuses/x' } },
        '301: it redirects; is base_url right, and has the repository moved?',
      ],
    ];
    for (const [what, answer, reason] of REFUSALS) {
      it(`gives up after ${what}`, async () => {
        const server = await hostOf('github');
        server.misbehave = () => answer;
        lab.start();
        const deployment = await lab.deployment('github');
        await lab.tell(deployment, 'succeeded');
        const [row] = await settled(1);
        expect(row).to.include({ outcome: 'given_up', error: reason, attempts: 1 });
        expect(server.received).to.have.length(1);
        const facts = { host: `${server.url}/api/v3`, reason };
        const entries = (await lab.store.audit()).filter(({ action }) => action === 'status_given_up');
        expect(entries.map(({ subject, facts: stored }) => [subject, stored])).to.deep.equal([
          [deployment.id, facts],
        ]);
        expect(lab.logged.map((line) => JSON.parse(line) as object)).to.have.length(1);
        expect(JSON.parse(lab.logged[0] as string)).to.include({
          level: 40,
          deployment: deployment.id,
          ...facts,
          msg: 'commit status given up',
        });
      });
    }

    const FAILURES: readonly [string, Misbehaviour, string | RegExp][] = [
      ['500', { status: 500, body: '<html>' }, '500'],
      ['503', { status: 503 }, '503'],
      ['a reset connection', 'reset', /^no answer: (ECONNRESET|UND_ERR_SOCKET)$/],
      ['no answer in time', 'hang', 'no answer within 200 ms'],
    ];
    for (const [what, answer, reason] of FAILURES) {
      it(`tries again after ${what}`, async () => {
        const server = await hostOf('github');
        server.misbehave = (_, i) => (i === 0 ? answer : null);
        lab.start({ timeoutMs: 200 });
        await lab.tell(await lab.deployment('github'), 'succeeded');
        const failed = await firstError();
        expect(failed).to.include({ outcome: null, attempts: 1 });
        expect(failed.error).to.match(reason instanceof RegExp ? reason : new RegExp(`^${reason}$`));
        expect(server.received).to.have.length(1);
        await lab.store.passHours();
        expect((await settled(1))[0]).to.include({ outcome: 'sent', attempts: 2, error: null });
        expect(lab.logged).to.deep.equal([]);
      });
    }

    it('tries again while nobody is at the address', async () => {
      const server = await hostOf('github');
      await server.close();
      lab.start();
      await lab.tell(await lab.deployment('github'), 'succeeded');
      expect(await firstError()).to.include({ outcome: null, error: 'no answer: ECONNREFUSED' });
    });

    it('gives up after the last of many attempts', async () => {
      const server = await hostOf('gitea');
      server.misbehave = () => ({ status: 502 });
      lab.start();
      await lab.tell(await lab.deployment('gitea'), 'failed');
      for (let attempt = 1; attempt < MOST_ATTEMPTS; attempt += 1) {
        await until('an attempt to have failed', async () => {
          const [row] = await lab.store.outbox();
          return row?.attempts === attempt && !row.inHand;
        });
        expect(server.received).to.have.length(attempt);
        await lab.store.passHours();
      }
      const [row] = await settled(1);
      expect(row).to.include({ outcome: 'given_up', error: `502 (after ${MOST_ATTEMPTS} attempts)` });
      expect(lab.logged).to.have.length(1);
    });

    it('waits as long as a host says, with everything that goes to it', async () => {
      const server = await hostOf('github');
      server.misbehave = () => ({ status: 429, headers: { 'retry-after': '7200' } });
      lab.start();
      const [one, other] = [
        await lab.deployment('github'),
        await lab.deployment('github', { commit: 'd'.repeat(40) }),
      ];
      await lab.store.ledger.transaction(async (tx) => {
        for (const { id, commit, fraise } of [one, other]) {
          const payload = { deployment: id, status: 'succeeded' };
          await tx.outbox({ topic: 'deployment_ended', about: `${fraise}@${commit}`, payload });
        }
      });
      expect(await firstError()).to.include({ error: '429' });
      const now = await lab.store.ledger.claimNotification({ busyLanes: [], claimMs: 1 });
      expect(now).to.equal(null);
      expect(server.received).to.have.length(1);
      server.release();
      await lab.store.passHours();
      const rows = await until('both to be settled', async () => {
        const all = await lab.store.outbox();
        return all.every((row) => row.outcome !== null) && all;
      });
      // The host knows only one commit: what matters is that both were sent.
      expect(rows.map((row) => row.outcome)).to.deep.equal(['sent', 'given_up']);
    });

    it('never lets an older state overtake a newer one', async () => {
      const server = await hostOf('github');
      server.misbehave = (_, i) => (i === 0 ? 'hang' : null);
      lab.start({ timeoutMs: 20_000 });
      lab.start({ timeoutMs: 20_000 });
      const deployment = await lab.deployment('github');
      await lab.tell(deployment, 'queued');
      await until('the first to be under way', () => server.waiting() === 1);
      await lab.tell(deployment, 'running');
      await lab.tell(deployment, 'succeeded');
      await lab.tell(await lab.deployment('github', { fraise: 'gone' }), 'succeeded');
      await until(
        'the senders to have looked',
        async () => (await lab.store.outbox()).at(-1)?.outcome === 'unwanted',
      );
      expect(server.received).to.have.length(1);
      server.release();
      const rows = await settled(4);
      expect(rows.map((row) => [row.status, row.outcome]).slice(0, 3)).to.deep.equal([
        ['queued', 'sent'],
        ['running', 'overtaken'],
        ['succeeded', 'sent'],
      ]);
      expect(server.received.map(({ body }) => body['state'])).to.deep.equal(['pending', 'success']);
    });

    it('drops an older state that waits for another attempt when there is a newer one', async () => {
      const server = await hostOf('github');
      server.misbehave = (_, i) => (i === 0 ? { status: 503 } : null);
      lab.start();
      const deployment = await lab.deployment('github');
      await lab.tell(deployment, 'running');
      await firstError();
      await lab.tell(deployment, 'rolled_back');
      const rows = await settled(2);
      expect(rows.map((row) => row.outcome)).to.deep.equal(['overtaken', 'sent']);
      expect(server.received.map(({ body }) => body['state'])).to.deep.equal(['pending', 'failure']);
    });

    it('does not let a host that hangs delay the others', async () => {
      const [slow, quick] = [await host(APIS.github), await host(APIS.gitlab)];
      slow.misbehave = () => 'hang';
      await lab.configure(configurationFor({ github: slow.url, gitlab: quick.url }));
      lab.start({ timeoutMs: 20_000 });
      for (const n of [1, 2, 3])
        await lab.tell(await lab.deployment('github', { commit: `${n}`.repeat(40) }), 'succeeded');
      await until('the slow one to be asked', () => slow.waiting() === 1);
      await lab.tell(await lab.deployment('gitlab'), 'succeeded');
      await until('the quick one to be told', () => quick.received.length === 1);
      expect(slow.received).to.have.length(1);
      slow.release();
      await settled(4);
    });

    it('speaks to no more hosts at once than it may', async () => {
      const [one, other] = [await host(APIS.github), await host(APIS.gitlab)];
      one.misbehave = () => 'hang';
      await lab.configure(configurationFor({ github: one.url, gitlab: other.url }));
      lab.start({ timeoutMs: 20_000, lanes: 1 });
      await lab.tell(await lab.deployment('github'), 'succeeded');
      await until('one to be asked', () => one.waiting() === 1);
      await lab.tell(await lab.deployment('gitlab'), 'succeeded');
      await lab.tell(await lab.deployment('github', { fraise: 'gone' }), 'succeeded');
      await until(
        'the sender to have looked',
        async () => (await lab.store.outbox())[2]?.outcome === 'unwanted',
      );
      expect(other.received).to.have.length(0);
      one.release();
      await settled(3);
      expect(other.received).to.have.length(1);
    });

    it('sends what a controller had claimed that died, once its claim has run out', async () => {
      const server = await hostOf('github');
      await lab.tell(await lab.deployment('github'), 'succeeded');
      const { ledger } = lab.store;
      const [row] = await ledger.unaddressedNotifications(1);
      await ledger.addressNotifications([{ number: row?.number as number, lane: `${server.url}/api/v3` }]);
      const dead = await ledger.claimNotification({ busyLanes: [], claimMs: 3_600_000 });
      expect(dead).to.include({ attempts: 1 });
      lab.start();
      const sign = await lab.deployment('github', { fraise: 'gone' });
      await lab.tell(sign, 'succeeded');
      await until(
        'the sender to have looked',
        async () => (await lab.store.outbox())[1]?.outcome === 'unwanted',
      );
      expect(server.received).to.have.length(0);
      await lab.store.passHours();
      expect((await settled(2))[0]).to.include({ outcome: 'sent', attempts: 2 });
      expect(server.received).to.have.length(1);
    });

    it('sends each once when several controllers share the work', async () => {
      const server = await hostOf('github');
      for (let i = 0; i < 3; i += 1) lab.start();
      for (const n of [1, 2, 3, 4, 5, 6])
        await lab.tell(
          await lab.deployment('github', { environment: 'production', commit: `${n}`.repeat(40) }),
          'succeeded',
        );
      await settled(6);
      expect(server.received.map(({ path }) => path.slice(-1)).toSorted()).to.deep.equal([
        '1',
        '2',
        '3',
        '4',
        '5',
        '6',
      ]);
    });

    it('keeps the order of each commit’s states, whoever sends them and however long that takes', async () => {
      const server = await hostOf('github');
      server.misbehave = () => ({ status: 201 });
      for (const waits of [
        [0, 7, 3],
        [5, 0, 9],
        [2, 11, 0],
      ]) {
        let sent = 0;
        const transport: typeof fetch = async (url, init) => {
          await sleep(waits[(sent += 1) % waits.length]);
          return fetch(url, init);
        };
        lab.start({}, { transport });
      }
      const commits = ['1', '2', '3', '4', '5', '6', '7', '8'];
      await Promise.all(
        commits.map(async (name) => {
          const deployment = await lab.deployment('github', { commit: name.repeat(40) });
          for (const status of ['queued', 'running', 'succeeded'] as const)
            await lab.tell(deployment, status);
        }),
      );
      const rows = await settled(24);
      expect(rows.filter((row) => row.status === 'succeeded').map((row) => row.outcome)).to.deep.equal(
        commits.map(() => 'sent'),
      );
      for (const name of commits) {
        const states = server.received
          .filter(({ path }) => path.endsWith(name))
          .map(({ body }) => body['description']?.split(' ').slice(1).join(' '));
        const order = ['is waiting', 'is running', 'succeeded'].filter((state) => states.includes(state));
        expect(states, name).to.deep.equal(order);
      }
    });

    it('cuts off what hangs when it is stopped, and leaves it to be sent', async () => {
      const server = await hostOf('github');
      server.misbehave = () => 'hang';
      const sender = lab.start({ timeoutMs: 20_000 });
      await lab.tell(await lab.deployment('github'), 'succeeded');
      await until('it to be under way', () => server.waiting() === 1);
      await sender.stop();
      expect((await lab.store.outbox())[0]).to.include({
        outcome: null,
        error: 'the controller was stopped before the answer came',
      });
      await lab.tell(await lab.deployment('github', { commit: 'd'.repeat(40) }), 'succeeded');
      expect(server.received).to.have.length(1);
    });

    it('says nowhere what the token is, even if the host says it', async () => {
      const server = await hostOf('github');
      const echo = (status: number) => ({
        status,
        headers: { location: `https://other.example.com/?token=${CANARY}`, 'x-token': CANARY },
        body: JSON.stringify({ message: `Bearer ${CANARY} is not good`, token: CANARY }),
      });
      const answers = [echo(500), echo(302), echo(401)];
      server.misbehave = (_, i) => answers[i] ?? null;
      lab.start();
      const deployment = await lab.deployment('github');
      await lab.tell(deployment, 'running');
      expect(await firstError()).to.include({ error: '500 Bearer (token) is not good' });
      const texts = [await lab.store.everything()];
      await lab.store.passHours();
      await settled(1);
      await lab.tell(deployment, 'failed');
      const rows = await settled(2);
      expect(rows.at(-1)).to.include({ outcome: 'given_up', error: '401 Bearer (token) is not good' });
      texts.push(await lab.store.everything(), ...lab.logged);
      expect(lab.logged).to.have.length(2);
      expect(server.received[0]?.headers.authorization).to.equal(`Bearer ${CANARY}`);
      expect(texts.join('\n')).to.not.contain(CANARY);
    });

    it('gives up when the token is not there, or cannot be one, and does not show it', async () => {
      const server = await hostOf('github');
      const broken = `${CANARY}\nx-more: 1`;
      for (const [i, environment] of [{}, { STATUS_TOKEN: broken }, { STATUS_TOKEN: ' ' }].entries()) {
        const sender = lab.start({}, { environment });
        await lab.tell(await lab.deployment('github'), 'succeeded');
        await settled(i + 1);
        await sender.stop();
      }
      const place = 'git.github.status_token';
      expect((await lab.store.outbox()).map((row) => [row.outcome, row.error])).to.deep.equal([
        ['given_up', `${place}: \${STATUS_TOKEN} is not set, or empty, in the controller's environment`],
        ['given_up', `${place} is empty or has characters that no header can hold`],
        ['given_up', `${place} is empty or has characters that no header can hold`],
      ]);
      expect(server.received).to.deep.equal([]);
      expect(`${await lab.store.everything()}${lab.logged.join('')}`).to.not.contain(CANARY);
    });

    it('tells nobody who does not want to know', async () => {
      const server = await host(APIS.github);
      await lab.configure(configurationFor({ github: server.url }, ', statuses: false'));
      lab.start();
      await lab.tell(await lab.deployment('github'), 'succeeded');
      await lab.store.ledger.outbox({ topic: 'deployment_ended', about: 'x', payload: null });
      await lab.store.ledger.outbox({
        topic: 'deployment_ended',
        about: 'y',
        payload: { deployment: 'd_9', status: 'failed' },
      });
      await lab.store.ledger.outbox({
        topic: 'deployment_ended',
        about: 'z',
        payload: { deployment: 'd_1', status: 'eaten' },
      });
      const rows = await settled(4);
      expect(rows.map((row) => [row.outcome, row.error])).to.deep.equal([
        ['unwanted', 'git.github has no status_token, or statuses: false'],
        ['unwanted', 'it is about no deployment'],
        ['unwanted', 'it is about no deployment'],
        ['unwanted', 'it is about no deployment'],
      ]);
      expect(server.received).to.deep.equal([]);
    });

    it('tells nobody any more when that was configured while it waited', async () => {
      const server = await hostOf('github');
      server.misbehave = () => ({ status: 500 });
      lab.start();
      await lab.tell(await lab.deployment('github'), 'succeeded');
      await firstError();
      await lab.configure(configurationFor({ github: server.url }, ', statuses: false'));
      await lab.store.passHours();
      expect((await settled(1))[0]).to.include({ outcome: 'unwanted' });
      expect(server.received).to.have.length(1);
    });

    it('sorts more than a handful', async () => {
      await hostOf('github');
      await lab.store.ledger.transaction(async (tx) => {
        for (let i = 0; i < 230; i += 1)
          await tx.outbox({ topic: 'deployment_ended', about: `${i}`, payload: null });
      });
      lab.start();
      expect(new Set((await settled(230)).map((row) => row.outcome))).to.deep.equal(new Set(['unwanted']));
    });

    it('goes on after the ledger could not be asked, and says so', async () => {
      const server = await hostOf('github');
      const { ledger } = lab.store;
      let failures = 2;
      const failing =
        <A extends unknown[], R>(act: (...args: A) => Promise<R>) =>
        async (...args: A): Promise<R> => {
          if (failures > 0 && (failures -= 1) >= 0) throw new Error('the database is away');
          return act(...args);
        };
      const shaky = {
        ...ledger,
        unaddressedNotifications: failing((limit: number) => ledger.unaddressedNotifications(limit)),
      };
      lab.start({}, { ledger: shaky });
      await lab.tell(await lab.deployment('github'), 'succeeded');
      await settled(1);
      expect(server.received).to.have.length(1);
      expect(lab.logged.map((line) => (JSON.parse(line) as { msg: string }).msg)).to.deep.equal([
        'outbox not emptied',
        'outbox not emptied',
      ]);
    });

    it('sends again what was sent while its outcome could not be stored', async () => {
      const server = await hostOf('github');
      const { ledger } = lab.store;
      let failures = 1;
      const endNotification: typeof ledger.endNotification = (claim, end) => {
        failures -= 1;
        if (failures >= 0) return Promise.reject(new Error('the database is away'));
        return ledger.endNotification(claim, end);
      };
      lab.start({}, { ledger: { ...ledger, endNotification } });
      await lab.tell(await lab.deployment('github'), 'succeeded');
      await until('the failure', () => lab.logged.length > 0);
      await lab.store.passHours();
      expect((await settled(1))[0]).to.include({ outcome: 'sent', attempts: 2 });
      expect(server.received).to.have.length(2);
      expect(lab.logged).to.have.length(1);
    });
  });
}
