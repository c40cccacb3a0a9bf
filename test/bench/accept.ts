import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { withCluster } from '../support/cluster.js';
import { signedPush } from '../support/github.js';
import { figure, type Figure } from './figures.js';
import { loopbackAddresses, postAll, type Addresses, type Delivery, type Load } from './load.js';

const CONNECTIONS = [1, 16, 64];
const DELIVERIES = 2_000;
const SECRET = 'a secret of the bench';
const REPOSITORY = 'https://github.com/acme/bench.git';

const CONFIGURATION = `name: bench
git: { provider: github, github: { webhook_secret: "${SECRET}" } }
fraises:
  bench:
    type: api
    repository: ${REPOSITORY}
    environments:
      production: { branch: main, hosts: [nobody], app_path: /srv/bench, restart: { command: ["true"] } }
`;

/** How long a push takes to be verified, stored, routed and queued, beside express answering without doing anything. */
export async function webhookAcceptance(): Promise<readonly Figure[]> {
  const addresses = loopbackAddresses();
  const bare = await bareExpress((url) => measure(url, addresses));
  const ours = await withCluster({ agents: [], configuration: CONFIGURATION }, ({ http }) =>
    measure(`${http}/webhook`, addresses),
  );
  return CONNECTIONS.flatMap((connections, at) => {
    const [load, beside] = [ours[at], bare[at]];
    if (load === undefined || beside === undefined) return [];
    const name = `accept a push, ${connections} connection${connections === 1 ? '' : 's'}`;
    return [
      figure(`${name}, p50`, load.p50, 'ms', { what: 'bare express', value: beside.p50 }),
      figure(`${name}, p99`, load.p99, 'ms', { what: 'bare express', value: beside.p99 }),
      figure(`${name}, rate`, load.perSecond, '1/s', { what: 'bare express', value: beside.perSecond }),
    ];
  });
}

async function measure(url: string, addresses: Addresses): Promise<readonly Load[]> {
  await postAll(url, deliveries(200), 4, addresses);
  const loads: Load[] = [];
  for (const connections of CONNECTIONS)
    loads.push(await postAll(url, deliveries(DELIVERIES), connections, addresses));
  return loads;
}

function deliveries(count: number): readonly Delivery[] {
  return Array.from({ length: count }, () =>
    signedPush({
      repository: REPOSITORY,
      branch: 'main',
      commit: randomBytes(20).toString('hex'),
      secret: SECRET,
    }),
  );
}

async function bareExpress<T>(work: (url: string) => Promise<T>): Promise<T> {
  const program = fileURLToPath(new URL('bare-express.js', import.meta.url));
  const child = spawn(process.execPath, [program], { stdio: ['ignore', 'pipe', 'inherit'] });
  try {
    const [port] = (await once(child.stdout, 'data')) as [Buffer];
    return await work(`http://127.0.0.1:${port.toString().trim()}/webhook`);
  } finally {
    child.kill();
  }
}
