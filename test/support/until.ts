import { setTimeout as sleep } from 'node:timers/promises';

/**
 * Asks `probe` again and again until it answers something other than `undefined`, `null` or `false`, and returns that.
 * Throws after `timeoutMs` (default 20 s) naming `what`, with the last error of the probe as cause. Errors of the
 * probe before that count as "not yet". Gives up with the signal's reason when it aborts.
 */
export async function until<T>(
  what: string,
  probe: () => Promise<T | undefined | null | false> | T | undefined | null | false,
  {
    timeoutMs = 20_000,
    everyMs = 50,
    signal,
  }: { timeoutMs?: number; everyMs?: number; signal?: AbortSignal } = {},
): Promise<T> {
  const deadline = Date.now() + timeoutMs;
  let last: unknown;
  for (;;) {
    try {
      const found = await probe();
      if (found !== undefined && found !== null && found !== false) return found;
    } catch (error) {
      last = error;
    }
    if (Date.now() > deadline) throw new Error(`waited ${timeoutMs} ms in vain for ${what}`, { cause: last });
    await sleep(everyMs, undefined, { signal });
  }
}
