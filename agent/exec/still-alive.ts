import { isAlive, ownLine, parseProcessLine } from './processes.js';
import type { ProcessLine } from './processes.js';
import type { Looked } from './until-ended.js';

/** What was asked, with the number of the process that stands for it while it runs; 0: not known. */
export interface Answer {
  readonly looked: Looked;
  readonly mainPid: number;
}

/** So that a number that was given to another process meanwhile deceives for some seconds at most. */
const ASK_EVERY = 25;

/**
 * Looks by asking only when there may be something new: as long as the process that was named is alive, the command runs,
 * and /proc tells that for a hundredth of what it costs to ask.
 */
export function unlessAlive(ask: () => Promise<Answer>): () => Promise<Looked> {
  let main: ProcessLine | null = null;
  let looks = 0;
  return async () => {
    looks += 1;
    if (main !== null && looks % ASK_EVERY !== 0 && (await isAlive(main, 'proc')))
      return { ended: 'running' };
    const { looked, mainPid } = await ask();
    const isRunning = looked.ended === 'running' && mainPid > 0;
    main = isRunning ? parseProcessLine(await ownLine(mainPid, 'proc')) : null;
    return looked;
  };
}
