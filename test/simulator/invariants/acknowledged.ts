import type { RunEvent, ToAgent } from '../../../proto/gen/fraisier/v1/agent.js';
import type { Chronicle } from '../chronicle.js';
import type { LedgerState } from '../ledger-state.js';

/** Nothing acknowledged is lost: what was told to be committed is, and stays, in the ledger. */
export class Acknowledged {
  readonly #chronicle: Chronicle;
  readonly #state: () => LedgerState;
  /** By run and number, what its agent sent. */
  readonly #sent = new Map<string, string>();
  /** What people and git hosts were told is stored, by id. */
  readonly #promised = new Map<string, 'deployments' | 'deliveries'>();
  /** Of each run, how many events are committed, of the first so many rows. */
  readonly #stored = new Map<string, number>();
  #counted = 0;

  constructor(chronicle: Chronicle, state: () => LedgerState) {
    this.#chronicle = chronicle;
    this.#state = state;
  }

  sent(event: RunEvent): void {
    const key = `event ${event.seq} of ${event.runId}`;
    const told = inWords(event);
    const before = this.#sent.get(key) ?? told;
    if (before !== told) this.#chronicle.fault(`${key} was sent as "${before}" and now as "${told}"`);
    this.#sent.set(key, told);
  }

  told({ message }: ToAgent): void {
    if (message?.$case !== 'ack') return;
    const { runId, seq } = message.value;
    const stored = this.#storedOf(runId);
    if (stored < seq) this.#chronicle.fault(`event ${seq} of ${runId} is acknowledged, ${stored} are stored`);
  }

  promised(id: string, list: 'deployments' | 'deliveries'): void {
    this.#promised.set(id, list);
  }

  /** At the end. */
  check(): void {
    const state = this.#state();
    for (const [id, list] of this.#promised) {
      if (!state[list].some((row: { readonly id: string }) => row.id === id))
        this.#chronicle.fault(`${id} was acknowledged and is not in the ledger`);
    }
  }

  #storedOf(runId: string): number {
    const { events } = this.#state();
    for (const row of events.slice(this.#counted))
      this.#stored.set(row.runId, (this.#stored.get(row.runId) ?? 0) + 1);
    this.#counted = events.length;
    return this.#stored.get(runId) ?? 0;
  }
}

function inWords({ at, event }: RunEvent): string {
  const { step, attempt, outcome, code } = { step: '', attempt: 0, outcome: '', code: '', ...event?.value };
  return `${event?.$case} ${step} ${attempt} ${outcome} ${code} ${at?.getTime()}`;
}
