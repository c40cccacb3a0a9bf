import type { Deployment } from '../../../proto/gen/fraisier/v1/control.js';
import type { Fleet } from '../fleet.js';
import type { Deaths } from './deaths.js';
import type { Request } from './requests.js';
import { SOFTWARE } from './software.js';
import type { Somebody } from './somebody.js';

/** All that is known of a soak once everything has come to rest. */
export interface Ended {
  readonly fleet: Fleet;
  readonly somebody: Somebody;
  readonly requests: readonly Request[];
  readonly history: readonly Deployment[];
  /** How often somebody said `continue`, by deployment. */
  readonly continued: ReadonlyMap<string, number>;
}

/** What came of it, in a few words. */
export function summary({ requests, history, continued }: Ended, { kills, startsInVain }: Deaths): string {
  const each = SOFTWARE.map(
    ({ name }) => `${name} ${history.filter(({ fraise }) => fraise === name).length}`,
  );
  const refused = requests.filter((request) => request.refused !== null).length;
  return [
    `${history.length} deployments (${each.join(', ')}): ${counted(history.map(({ status }) => status))}`,
    `${requests.length} requests (${counted(requests.map(({ way }) => way))}), of which ${refused} nobody could take`,
    `killed: ${Object.entries(kills)
      .map(([victim, times]) => `${victim} ${times}`)
      .join(', ')}`,
    `continued by hand: ${continued.size}; controllers that found no database to start with: ${startsInVain}`,
  ].join('\n');
}

function counted(words: readonly string[]): string {
  const each = [...new Set(words)].map((word) => `${word} ${words.filter((one) => one === word).length}`);
  return each.join(', ');
}
