import { join } from 'node:path';
import { expect } from 'chai';
import { createLedger } from '../../../controller/db/ledger.js';
import { runController } from '../../../controller/main.js';
import { withDatabase } from '../../support/database.js';
import { until } from '../../support/until.js';
import { newDeployment } from '../db/samples.js';
import { withFolder } from '../pki/support.js';
import { COMMIT, startGitHost } from './git-host-server.js';
import { configurationFor } from './lab.js';
import { APIS, CANARY } from './status-apis.js';

describe('controllers that share a database', function () {
  this.timeout(60_000);

  it('tell the git host once how a deployment ended, with a link', async () => {
    await withFolder((folder) =>
      withDatabase(async (db, { url }) => {
        const ledger = createLedger(db);
        const host = await startGitHost(APIS.github);
        const text = configurationFor({ github: host.url });
        await ledger.insertConfiguration({ text, fileName: 'fraises.yaml', appliedBy: 'ana' });
        const stopping = new AbortController();
        const ends = ['one', 'other'].map((name) => run(join(folder, name), url, stopping.signal));
        try {
          const controllers = async () => (await db('tb_controller').select<unknown[]>()).length;
          await until('both controllers', async () => (await controllers()) === 2);
          const wanted = {
            fraise: 'on-github',
            environment: 'production',
            commit: COMMIT,
            configRevision: 1,
          };
          await ledger.transaction(async (tx) => {
            await tx.insertDeployment(newDeployment({ id: 'd_1', ...wanted }));
            await tx.wake({ about: 'deployment', id: 'd_1' });
          });
          await until('the status', () => host.received.length > 0);
          expect(host.received[0]?.body).to.deep.equal({
            state: 'failure',
            context: 'fraisier/on-github/production',
            description: 'd_1 failed',
            target_url: 'https://deploy.example.com/deployments/d_1',
          });
          await until(
            'it to be recorded',
            async () => await db('tb_outbox').where({ outcome: 'sent' }).first<object>(),
          );
        } finally {
          stopping.abort();
          expect(await Promise.all(ends)).to.deep.equal([0, 0]);
          await host.close();
        }
        expect(host.received).to.have.length(1);
      }),
    );
  });
});

function run(state: string, databaseUrl: string, signal: AbortSignal): Promise<number> {
  const ports = { http: '127.0.0.1:0', grpc: '127.0.0.1:0', agents: '127.0.0.1:0' };
  const files = {
    socket: `${state}.sock`,
    firstTokenFile: `${state}-token`,
    keyFile: join(state, '..', 'key'),
  };
  const environment = { DATABASE_URL: databaseUrl, FRAISIER_LOG_LEVEL: 'silent', STATUS_TOKEN: CANARY };
  const publicUrl = 'https://deploy.example.com/';
  return runController({ state, ...ports, ...files, publicUrl }, { environment, signal });
}
