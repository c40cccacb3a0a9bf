import { isAway, neverArrived } from './refusal.js';
import { Patience, type PatienceLimits } from './patience.js';

/**
 * Asks for something that a request id makes once. An answer lost on the way is asked for again under the same id; a
 * controller that was never reached is an error at once. Throws `outcome_unknown`, in the words given, when the
 * controller went away after it may have heard.
 */
export async function askOnce<T>(limits: PatienceLimits, ask: () => Promise<T>): Promise<T> {
  try {
    return await ask();
  } catch (error) {
    if (!isAway(error) || neverArrived(error)) throw error;
  }
  return new Patience(limits).until(ask);
}
