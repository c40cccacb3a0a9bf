import { setTimeout as sleep } from 'node:timers/promises';
import type { Deployment } from '../../../proto/gen/fraisier/v1/control.js';
import { until } from '../../support/until.js';
import { UNFINISHED, type Somebody } from './somebody.js';

/** Says `continue` to whatever pauses, because nobody could know how a migration ended. */
export class Person {
  /** How often, by deployment. */
  readonly continued = new Map<string, number>();
  readonly #somebody: Somebody;

  constructor(somebody: Somebody) {
    this.#somebody = somebody;
  }

  async continueUntil(over: AbortSignal): Promise<void> {
    while (!over.aborted) {
      await this.#look();
      await sleep(1_000);
    }
  }

  /** The whole history, once nothing in it is unfinished. */
  async untilAllHasEnded(): Promise<readonly Deployment[]> {
    const all = async (): Promise<readonly Deployment[] | undefined> => {
      const history = await this.#look();
      return history.some(({ status }) => UNFINISHED.includes(status)) ? undefined : history;
    };
    return until('every deployment to end', all, { timeoutMs: 150_000, everyMs: 1_000 });
  }

  async #look(): Promise<readonly Deployment[]> {
    const history = await this.#somebody.history();
    for (const { id, status } of history) {
      if (status !== 'paused') continue;
      this.continued.set(id, (this.continued.get(id) ?? 0) + 1);
      await this.#somebody.ask(`${id} to go on`, async (control) => {
        // An answer that was lost: it goes on already.
        const { status: now } = await control.ask('getDeployment', { id });
        if (now === 'paused') await control.ask('continueDeployment', { id });
        return true;
      });
    }
    return history;
  }
}
