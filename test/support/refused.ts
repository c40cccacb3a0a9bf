import { FraisierError } from '../../proto/error-codes.js';
import type { Reason } from '../../proto/gen/fraisier/v1/plan.js';

/** The reason with which a promise was refused; throws what is no refusal, and when it was not refused at all. */
export async function refused(promise: Promise<unknown>): Promise<Reason> {
  try {
    await promise;
  } catch (error) {
    if (error instanceof FraisierError) return error.reason;
    throw error;
  }
  throw new Error('expected a refusal, but it was done');
}
