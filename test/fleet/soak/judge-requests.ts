import { exitCodeOfDeployment } from '../../../cli/exit-codes.js';
import type { Deployment } from '../../../proto/gen/fraisier/v1/control.js';
import type { Ended } from './ended.js';
import type { Request } from './requests.js';
import { SOFTWARE } from './software.js';
import { UNFINISHED } from './somebody.js';

/** Requests that were lost, done twice or are stuck. */
export function judgeRequests({ requests, history }: Ended): readonly string[] {
  const byId = new Map(history.map((one) => [one.id, one]));
  const lost = requests.filter(({ id }) => id !== null && !byId.has(id));
  const stuck = history.filter(
    ({ status, finishedAt }) => UNFINISHED.includes(status) || finishedAt === undefined,
  );
  const commits = new Set(requests.map(({ commit }) => commit));
  const twice = [...commits].filter((commit) => history.filter((one) => one.commit === commit).length > 1);
  const unasked = history.filter(({ commit }) => !commits.has(commit)).slice(0, -SOFTWARE.length);
  return [
    ...lost.map((one) => `lost: ${JSON.stringify(one)}`),
    ...stuck.map(({ id, status }) => `stuck: ${id} is ${status}`),
    ...twice.map((commit) => `doubled: ${commit} has several deployments`),
    ...unasked.map(({ id }) => `nobody asked for ${id}`),
    ...requests.flatMap((request) => judgeAnswer(request, byId.get(request.id ?? ''))),
  ];
}

/** Refused is only what nobody could take just then; who followed a deployment was told how it ended. */
function judgeAnswer(
  { refused, followed, id }: Request,
  deployment: Deployment | undefined,
): readonly string[] {
  if (refused !== null) return refused.startsWith('3: ') ? [] : [`refused: ${refused}`];
  if (followed === null || deployment === undefined) return [];
  const paused = followed.code === 4 && followed.status === 'paused';
  if (paused || followed.code === exitCodeOfDeployment(deployment, 'deploy')) return [];
  return [`${id} is ${deployment.status}, who followed it was told ${followed.code}: ${followed.words}`];
}
