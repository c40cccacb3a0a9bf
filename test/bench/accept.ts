import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { withCluster } from '../support/cluster.js';
import { signedPush } from '../support/github.js';
import { withAdnanhWebhook } from './adnanh-webhook.js';
import { figure, median, type Figure } from './figures.js';
import { loopbackAddresses, postAll, type Addresses, type Delivery, type Load } from './load.js';

const CONNECTIONS = [1, 16, 64];
const ROUNDS = 3;
/** At least, and so many for each connection: what is measured is a steady state. */
const DELIVERIES = 200;
const PER_CONNECTION = 16;
const SECRET = 'a secret of the bench';
const REPOSITORY = 'https://github.com/acme/bench.git';

/** All deliveries of the bench are of one repository. */
const NO_LIMIT = { FRAISIER_REPOSITORY_RATE_LIMIT: '1000000' };

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
 * without doing anything, and beside adnanh/webhook, which verifies and stores nothing. In turns, and the medians of the
 * rounds.
 */
export async function webhookAcceptance(): Promise<readonly Figure[]> {
  const addresses = loopbackAddresses();
  return withCluster({ agents: [], configuration: CONFIGURATION, environment: NO_LIMIT }, async (cluster) => {
    // As in a burst behind one that runs: what is queued waits. Otherwise whole deployments would be measured.
    await cluster.must(['lock', 'bench', 'production', '-m', 'only accepting is measured']);
    return await withBareExpress((bare) =>
      withAdnanhWebhook(SECRET, async (adnanh) => {
        const ours = `${cluster.http}/webhook`;
        const others = [{ what: 'bare express', url: bare }];
        if (adnanh !== null) others.push({ what: 'adnanh/webhook', url: adnanh });
        for (const url of [ours, ...others.map((one) => one.url)])
          await postAll(url, deliveries(300), 4, addresses);
        const figures: Figure[] = [];
        for (const connections of CONNECTIONS)
          figures.push(...(await inTurns(ours, others, connections, addresses)));
        return figures;
      }),
    );
  });
}

interface Other {
  readonly what: string;
  readonly url: string;
}

async function inTurns(
  ours: string,
  others: readonly Other[],
  connections: number,
  addresses: Addresses,
): Promise<readonly Figure[]> {
  const count = Math.max(DELIVERIES, connections * PER_CONNECTION);
  const own: Load[] = [];
  const beside = new Map<string, Load[]>(others.map(({ what }) => [what, []]));
  for (let round = 0; round < ROUNDS; round += 1) {
    for (const { what, url } of others)
      beside.get(what)?.push(await postAll(url, deliveries(count), connections, addresses));
    own.push(await postAll(ours, deliveries(count), connections, addresses));
  }
  const name = `accept a push, ${connections} connection${connections === 1 ? '' : 's'}`;
  const middle = (loads: readonly Load[], what: keyof Load): number =>
    median(loads.map((load) => load[what]));
  const compared = (what: keyof Load, unit: Figure['unit'], called: string): readonly Figure[] =>
    [...beside].map(([other, loads]) =>
      figure(`${name}, ${called}`, middle(own, what), unit, { what: other, value: middle(loads, what) }),
    );
  return [
    ...compared('p50', 'ms', 'p50'),
    ...compared('p99', 'ms', 'p99'),
    ...compared('perSecond', '1/s', 'rate'),
  ];
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
