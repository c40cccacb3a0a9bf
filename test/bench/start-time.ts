import { FRAISIER } from '../support/fraisier-program.js';
import { withCluster } from '../support/cluster.js';
import { mustRun } from '../support/run-command.js';
import { figure, percentile, type Figure } from './figures.js';

const TIMES = 15;

/** How long a person waits for the command line, beside node doing nothing. Taken in turns, so that noise meets all alike. */
export async function startTimes(): Promise<readonly Figure[]> {
  return withCluster({ agents: [] }, async (cluster) => {
    const environment = { ...process.env, FRAISIER_CONTROLLER: cluster.socket };
    const commands: readonly (readonly [string, ...string[]])[] = [
      ['-e', '0'],
      [FRAISIER, '--version'],
      [FRAISIER, 'agents'],
    ];
    const times: number[][] = commands.map(() => []);
    for (let turn = 0; turn < TIMES; turn += 1) {
      for (const [at, args] of commands.entries()) {
        const begun = performance.now();
        await mustRun([process.execPath, ...args], { environment });
        times[at]?.push(performance.now() - begun);
      }
    }
    const [node = 0, version = 0, asking = 0] = times.map((taken) => percentile(taken, 50));
    const beside = { what: 'node -e 0', value: node };
    return [
      figure('fraisier --version', version, 'ms', beside),
      figure('fraisier agents (asks the controller)', asking, 'ms', beside),
    ];
  });
}
