import { RollbackRequest } from '../../proto/gen/fraisier/v1/control.js';
import { mustRun } from '../support/run-command.js';
import { withFleet, type BenchFleet } from './bench-fleet.js';
import { figure, median, type Figure } from './figures.js';
import { DEPLOYMENT_MS, deployByPush, followToEnd } from './push.js';

/** What a service takes to start, here by waiting. */
const RESTART_SECONDS = 3;
const RESTART = ['sleep', String(RESTART_SECONDS)];
/** Each goes one release further back; five are kept. */
const ROUNDS = 4;

/**
 * Going back to a release that is kept, beside the service's own restart and health check, in turns; medians. Nothing is
 * fetched or installed for it.
 */
export async function rollbacks(): Promise<readonly Figure[]> {
  return withFleet(1, () => ({ empty: ['sh', 'install.sh'] }), measure, {
    restart: RESTART,
  });
}

async function measure(fleet: BenchFleet): Promise<readonly Figure[]> {
  for (let release = 0; release <= ROUNDS; release += 1) await deploy(fleet, `Release ${release}`);
  const [own, bare]: [number[], number[]] = [[], []];
  for (let round = 0; round < ROUNDS; round += 1) {
    bare.push(await bareRestart(fleet));
    own.push(await goBack(fleet));
  }
  const beside = { what: 'restart, health', value: median(bare) };
  return [figure(`rollback by swap, restart takes ${RESTART_SECONDS} s`, median(own), 'ms', beside)];
}

async function deploy(fleet: BenchFleet, message: string): Promise<void> {
  const service = fleet.service('empty');
  await deployByPush(fleet, service, await service.commit(message));
}

async function bareRestart({ health }: BenchFleet): Promise<number> {
  const begun = performance.now();
  await mustRun(['sh', '-c', `${RESTART.join(' ')} && curl -fsS "$1" >/dev/null`, 'sh', health]);
  return performance.now() - begun;
}

async function goBack({ cluster }: BenchFleet): Promise<number> {
  const request = RollbackRequest.fromPartial({
    fraise: 'empty',
    environment: 'production',
    trigger: 'cli',
  });
  const begun = performance.now();
  const { id } = await cluster.control.ask('requestRollback', request);
  await followToEnd(cluster, id, AbortSignal.timeout(DEPLOYMENT_MS));
  return performance.now() - begun;
}
