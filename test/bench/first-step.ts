import { withFleet } from './bench-fleet.js';
import { figure, percentile, type Figure } from './figures.js';
import { deployByPush } from './push.js';

const PUSHES = 30;

/** From the answer to a push until the agent has begun the first step of its deployment. */
export async function pushToFirstStep(): Promise<readonly Figure[]> {
  return withFleet(
    1,
    () => ({ empty: ['sh', 'install.sh'] }),
    async (fleet) => {
      const service = fleet.service('empty');
      const times: number[] = [];
      for (let push = 0; push <= PUSHES; push += 1) {
        const { firstStepMs } = await deployByPush(fleet, service, await service.commit(`Push ${push}`));
        if (push > 0) times.push(firstStepMs);
      }
      return [50, 99].map((p) =>
        figure(`push accepted to the agent's first step, p${p} of ${PUSHES}`, percentile(times, p), 'ms'),
      );
    },
  );
}
