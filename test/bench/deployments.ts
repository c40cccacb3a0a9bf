import { bareSteps } from './bare-steps.js';
import { withFleet, type BenchFleet } from './bench-fleet.js';
import { figure, median, type Figure } from './figures.js';
import { memory } from './memory.js';
import { deployByPush } from './push.js';

/** Waiting, as for packages that come over the network: on real hosts it is not this machine's work. */
const INSTALL_SECONDS = 3;

/** What is deployed, how often, and what its line of the table says of it. */
const SERVICES = {
  empty: { install: ['sh', 'install.sh'], rounds: 5, called: 'install does nothing' },
  usual: {
    install: ['sleep', String(INSTALL_SECONDS)],
    rounds: 3,
    called: `install takes ${INSTALL_SECONDS} s`,
  },
} as const;

type Service = keyof typeof SERVICES;

/**
 * Whole deployments on `count` agents beside a plain script that does the same steps at the same places, in turns; the
 * medians of the rounds after a first one that does not count. Then what controller and agents hold of memory.
 */
export async function deployments(count: number): Promise<readonly Figure[]> {
  const installs = () => ({ empty: SERVICES.empty.install, usual: SERVICES.usual.install });
  return withFleet(count, installs, async (fleet) => {
    const idle = await memory(fleet, 'idle');
    const figures = [...(await besideBareSteps(fleet, 'empty')), ...(await besideBareSteps(fleet, 'usual'))];
    return [...figures, ...idle, ...(await memory(fleet, 'after the deployments'))];
  });
}

async function besideBareSteps(fleet: BenchFleet, name: Service): Promise<readonly Figure[]> {
  const { rounds, called } = SERVICES[name];
  const [own, bare]: [number[], number[]] = [[], []];
  await oneRound(fleet, name);
  for (let round = 0; round < rounds; round += 1) {
    const { ownMs, bareMs } = await oneRound(fleet, name);
    own.push(ownMs);
    bare.push(bareMs);
  }
  const where = fleet.hosts.length === 1 ? 'on 1 agent' : `on ${fleet.hosts.length} agents`;
  const beside = { what: 'the bare steps', value: median(bare) };
  return [
    figure(`deployment ${where}, ${called}`, median(own), 'ms', beside),
    figure(`  of which beyond the bare steps`, median(own) - median(bare), 'ms'),
  ];
}

async function oneRound(fleet: BenchFleet, name: Service): Promise<{ ownMs: number; bareMs: number }> {
  const { cluster, hosts, health } = fleet;
  const service = fleet.service(name);
  const commit = await service.commit('One more round');
  const { repository, install } = service;
  const bareMs = await bareSteps({ folder: cluster.folder, repository, commit, hosts, health, install });
  const { tookMs } = await deployByPush(fleet, service, commit);
  return { ownMs: tookMs, bareMs };
}
