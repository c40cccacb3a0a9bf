import { uptime } from 'node:os';
import { whenAborted } from './aborting.js';

/** Time as the agent knows it; the simulator hands in its own. */
export interface Clock {
  now(): Date;
  /** Milliseconds since some fixed moment: never goes back, and goes on while the machine sleeps. */
  uptimeMs(): number;
  /** Rejects with the signal's reason when it aborts first. */
  sleep(ms: number, signal: AbortSignal): Promise<void>;
}

/** The machine's own time. */
export const systemClock: Clock = {
  now: () => new Date(),
  uptimeMs: () => uptime() * 1000,
  sleep: (ms, signal) =>
    new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        stop();
        resolve();
      }, ms);
      const stop = whenAborted(signal, () => {
        clearTimeout(timer);
        reject(signal.reason as Error);
      });
    }),
};

/** Sleeps in pieces that a timer can hold, however far away `until` is by the wall clock. */
export async function sleepUntil(clock: Clock, until: Date, signal: AbortSignal): Promise<void> {
  const longest = 3_600_000;
  for (
    let left = until.getTime() - clock.now().getTime();
    left > 0;
    left = until.getTime() - clock.now().getTime()
  ) {
    await clock.sleep(Math.min(left, longest), signal);
  }
}
