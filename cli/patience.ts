import { setTimeout as sleep } from 'node:timers/promises';
import { FraisierError } from '../proto/error-codes.js';
import type { Control } from './client.js';
import { isAway } from './refusal.js';

const PAUSE_MS = 200;

export interface PatienceLimits {
  readonly control: Pick<Control, 'reachable'>;
  readonly forMs: number;
  readonly say: (line: string) => void;
  /** What is not known when the time is used up, and how to find out. */
  readonly unknown: { readonly message: string; readonly hint: string };
}

/**
 * Waits for a controller that was there a moment ago, at most `forMs` after its last sign of life, and says so.
 * Past that the outcome is unknown, and that is what it throws.
 */
export class Patience {
  private readonly limits: PatienceLimits;
  private lostAt: number | undefined;

  constructor(limits: PatienceLimits) {
    this.limits = limits;
  }

  /** Runs `act` until it is answered. Throws what is not the controller's absence, and `outcome_unknown` at the end. */
  async until<T>(act: () => Promise<T>): Promise<T> {
    for (;;) {
      try {
        const answer = await act();
        this.heard();
        return answer;
      } catch (error) {
        await this.lost(error);
      }
    }
  }

  /** Yields what the stream yields, and opens it again where it was cut; `open` must go on after the last message. */
  async *stream<T>(open: () => AsyncIterable<T>): AsyncGenerator<T> {
    for (;;) {
      try {
        for await (const message of open()) {
          this.heard();
          yield message;
        }
        return;
      } catch (error) {
        await this.lost(error);
      }
    }
  }

  private heard(): void {
    if (this.lostAt === undefined) return;
    this.lostAt = undefined;
    this.limits.say('the controller is back');
  }

  private async lost(error: unknown): Promise<void> {
    if (!isAway(error)) throw error;
    const { control, forMs, say, unknown } = this.limits;
    if (this.lostAt === undefined) {
      this.lostAt = Date.now();
      say(`${error.message}; trying again for ${forMs / 1000} s`);
    }
    const left = this.lostAt + forMs - Date.now();
    if (left > 0) await sleep(Math.min(PAUSE_MS, left));
    if (left > 0 && (await control.reachable(left))) return;
    throw new FraisierError('outcome_unknown', unknown.message, { hint: unknown.hint, cause: error });
  }
}
