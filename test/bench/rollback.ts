import { RollbackRequest } from '../../proto/gen/fraisier/v1/control.js';
import { mustRun } from '../support/run-command.js';
import { withFleet, type BenchFleet } from './bench-fleet.js';
import { figure, median, type Figure } from './figures.js';
import { DEPLOYMENT_MS, deployByPush, followToEnd } from './push.js';

/** What a service takes to start, here by waiting. */
const RESTART_SECONDS = 3;
const RESTART = ['sleep', String(RESTART_SECONDS)];
const ROUNDS = 5;

/**
 * Going back to a release that is kept, beside the service's own restart and health check, in turns; medians. Nothing is
 * fetched or installed for it.
 */
export async function rollbacks(): Promise<readonly Figure[]> {
  return withFleet(1, () => ({ empty: ['sh', 'install.sh'] }), measure, RESTART);
}

async function measure(fleet: BenchFleet): Promise<readonly Figure[]> {
  const releases = [await deployed(fleet, 'One'), await deployed(fleet, 'The other')];
  const [own, bare]: [number[], number[]] = [[], []];
  for (let round = 0; round < ROUNDS; round += 1) {
    bare.push(await bareRestart(fleet));
    own.push(await goBack(fleet, releases[round % 2] as string));
  }
  const beside = { what: 'restart, health', value: median(bare) };
  return [figure(`rollback by swap, restart takes ${RESTART_SECONDS} s`, median(own), 'ms', beside)];
}

async function deployed(fleet: BenchFleet, message: string): Promise<string> {
  const service = fleet.service('empty');
  const commit = await service.commit(message);
  await deployByPush(fleet, service, commit);
  return commit;
}

async function bareRestart({ health }: BenchFleet): Promise<number> {
  const begun = performance.now();
  await mustRun(['sh', '-c', `${RESTART.join(' ')} && curl -fsS "$1" >/dev/null`, 'sh', health]);
  return performance.now() - begun;
}

async function goBack({ cluster }: BenchFleet, to: string): Promise<number> {
  const request = RollbackRequest.fromPartial({
    fraise: 'empty',
    environment: 'production',
    to,
    trigger: 'cli',
  });
  const begun = performance.now();
  const { id } = await cluster.control.ask('requestRollback', request);
  await followToEnd(cluster, id, AbortSignal.timeout(DEPLOYMENT_MS));
  return performance.now() - begun;
}
