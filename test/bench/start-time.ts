import { FRAISIER } from '../support/fraisier-program.js';
import { mustRun } from '../support/run-command.js';
import { withFleet } from './bench-fleet.js';
import { figure, median, type Figure } from './figures.js';

const TIMES = 15;

/** How long a person waits for the command line, beside node doing nothing. In turns, so that noise meets all alike. */
export async function startTimes(): Promise<readonly Figure[]> {
  return withFleet(
    1,
    () => ({ empty: ['true'] }),
    async ({ cluster }) => {
      const environment = { ...process.env, FRAISIER_CONTROLLER: cluster.socket };
      const commands: readonly (readonly [string, ...string[]])[] = [
        ['-e', '0'],
        [FRAISIER, '--version'],
        [FRAISIER, 'list'],
      ];
      const times: number[][] = commands.map(() => []);
      for (let turn = 0; turn < TIMES; turn += 1) {
        for (const [at, args] of commands.entries()) {
          const begun = performance.now();
          await mustRun([process.execPath, ...args], { environment });
          times[at]?.push(performance.now() - begun);
        }
      }
      const [node = Number.NaN, version = Number.NaN, list = Number.NaN] = times.map(median);
      const beside = { what: 'node -e 0', value: node };
      return [
        figure('fraisier --version', version, 'ms', beside),
        figure('fraisier list (asks the controller)', list, 'ms', beside),
      ];
    },
  );
}
