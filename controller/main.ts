import { setTimeout as sleep } from 'node:timers/promises';
import { readConfig, type ControllerOptions, type Environment } from './config.js';
import { createLogger } from './logger.js';
import { startController } from './start.js';
import { stopSignal } from './stop-signal.js';

export type { ControllerOptions } from './config.js';

export interface ControllerSurroundings {
  /** Ends the controller; without it SIGTERM and SIGINT do, and a second one ends the process at once. */
  readonly signal?: AbortSignal;
  /** Default: that of the process. */
  readonly environment?: Environment;
}

const STOPPING_MS = 10_000;

/**
 * Runs a controller until it is told to stop, and returns the exit code. Throws FraisierError (`usage`,
 * `invalid_configuration`, `database_away`, …) when it cannot start; nothing is left open then.
 */
export async function runController(
  options: ControllerOptions,
  surroundings: ControllerSurroundings = {},
): Promise<number> {
  const environment = surroundings.environment ?? process.env;
  const config = readConfig(options, environment, process.getuid?.() ?? 0);
  const logger = createLogger(config.logLevel);
  const stop =
    surroundings.signal === undefined ? stopSignal(process) : { signal: surroundings.signal, release() {} };
  try {
    const closers = await startController(config, {
      environment,
      logger,
      say: (text) => process.stderr.write(text),
    });
    await aborted(stop.signal);
    logger.info('stopping');
    return await withinTime(closers.closeAll(), () => logger.error('stopping took too long, ending'));
  } finally {
    stop.release();
  }
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
}

async function withinTime(work: Promise<void>, tooLate: () => void): Promise<number> {
  const done = new AbortController();
  const late = sleep(STOPPING_MS, 'late', { signal: done.signal }).catch(() => 'done');
  const ended = await Promise.race([work.then(() => 'done'), late]);
  done.abort();
  if (ended === 'done') return 0;
  tooLate();
  return process.exit(1);
}
