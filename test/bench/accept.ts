import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { withCluster } from '../support/cluster.js';
import { signedPush } from '../support/github.js';
import { figure, median, type Figure } from './figures.js';
import { loopbackAddresses, postAll, type Addresses, type Delivery, type Load } from './load.js';

const CONNECTIONS = [1, 16, 64];
const ROUNDS = 3;
const DELIVERIES = 200;
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

/**
 * How long a push takes to be verified, stored, routed and queued (all committed), beside an express handler that answers
 * without doing anything. In turns, and the medians of the rounds.
 */
export async function webhookAcceptance(): Promise<readonly Figure[]> {
  const addresses = loopbackAddresses();
  return withCluster({ agents: [], configuration: CONFIGURATION }, ({ http }) =>
    withBareExpress(async (bare) => {
      const ours = `${http}/webhook`;
      for (const url of [bare, ours]) await postAll(url, deliveries(300), 4, addresses);
      const figures: Figure[] = [];
      for (const connections of CONNECTIONS)
        figures.push(...(await inTurns({ ours, bare }, connections, addresses)));
      return figures;
    }),
  );
}

async function inTurns(
  { ours, bare }: { readonly ours: string; readonly bare: string },
  connections: number,
  addresses: Addresses,
): Promise<readonly Figure[]> {
  const [own, beside]: [Load[], Load[]] = [[], []];
  for (let round = 0; round < ROUNDS; round += 1) {
    beside.push(await postAll(bare, deliveries(DELIVERIES), connections, addresses));
    own.push(await postAll(ours, deliveries(DELIVERIES), connections, addresses));
  }
  const name = `accept a push, ${connections} connection${connections === 1 ? '' : 's'}`;
  const compared = (what: keyof Load, unit: Figure['unit'], called: string): Figure =>
    figure(`${name}, ${called}`, median(own.map((load) => load[what])), unit, {
      what: 'bare express',
      value: median(beside.map((load) => load[what])),
    });
  return [compared('p50', 'ms', 'p50'), compared('p99', 'ms', 'p99'), compared('perSecond', '1/s', 'rate')];
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

async function withBareExpress<T>(work: (url: string) => Promise<T>): Promise<T> {
  const program = fileURLToPath(new URL('bare-express.js', import.meta.url));
  const child = spawn(process.execPath, [program], { stdio: ['ignore', 'pipe', 'inherit'] });
  try {
    const signal = AbortSignal.timeout(20_000);
    const [port] = (await once(child.stdout, 'data', { signal })) as [Buffer];
    return await work(`http://127.0.0.1:${port.toString().trim()}/webhook`);
  } finally {
    child.kill();
  }
}
