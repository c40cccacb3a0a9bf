import { Control } from '../../../cli/client.js';
import type { Deployment } from '../../../proto/gen/fraisier/v1/control.js';
import { until } from '../../support/until.js';
import { socketOf } from '../controllers.js';
import type { Fleet } from '../fleet.js';

export const UNFINISHED = ['queued', 'running', 'paused', 'rolling_back'];

/** Somebody who asks whichever controller answers, by the sockets, until one does. For reading, and what may be repeated. */
export class Somebody {
  readonly #controls: readonly Control[];
  #turn = 0;

  constructor({ lab, controllers }: Fleet) {
    this.#controls = controllers.map((_, index) => {
      const path = socketOf(lab, index);
      return new Control({ kind: 'socket', address: `unix:${path}`, path });
    });
  }

  deployment(id: string): Promise<Deployment> {
    return this.ask(`deployment ${id}`, (control) => control.ask('getDeployment', { id }));
  }

  /** Every deployment there is, the newest first. */
  async history(): Promise<readonly Deployment[]> {
    const all: Deployment[] = [];
    for (let cursor = ''; ;) {
      const page = { fraise: '', environment: '', limit: 100, since: undefined, cursor };
      const { deployments, next } = await this.ask('history', (control) =>
        control.ask('listDeployments', page),
      );
      all.push(...deployments);
      if (next === '') return all;
      cursor = next;
    }
  }

  async ask<T>(what: string, question: (control: Control) => Promise<T>): Promise<T> {
    const asked = async (): Promise<{ answer: T }> => {
      this.#turn += 1;
      return { answer: await question(this.#controls[this.#turn % this.#controls.length] as Control) };
    };
    return (await until(`an answer: ${what}`, asked, { timeoutMs: 60_000, everyMs: 200 })).answer;
  }

  close(): void {
    for (const control of this.#controls) control.close();
  }
}
