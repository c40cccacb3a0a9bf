import { lastLine } from './ends.js';
import { healthy, misconfigured, oneLine, unhealthy } from './judge-health.js';
import type { Verdict } from './judge-health.js';
import type { CommandEnd } from './step.js';

/** What a shell and env(1) say of a program that is not there, or cannot be started. */
const NOT_FOUND = 127;
const NOT_EXECUTABLE = 126;

/** What the end of a command means for the health it was asked about: 0 is healthy. */
export function judgeCommand(end: CommandEnd): Verdict {
  switch (end.ended) {
    case 'exited':
      return judgeExit(end.exitCode, oneLine(lastLine(end.output)));
    case 'signalled':
      return unhealthy(`it was ended by ${end.signal}`);
    case 'not_found':
      return cannotRun(end.message);
    case 'stopped':
    case 'unknown':
      return unhealthy(end.reason.message);
  }
}

function judgeExit(exitCode: number, said: string): Verdict {
  if (exitCode === 0) return healthy(said === '' ? 'exited with 0' : said);
  const answer = `exited with ${exitCode}${said === '' ? '' : `: ${said}`}`;
  return exitCode === NOT_FOUND || exitCode === NOT_EXECUTABLE ? cannotRun(answer) : unhealthy(answer);
}

function cannotRun(answer: string): Verdict {
  return misconfigured(
    answer,
    'correct health_check.command: it runs in the live release, as the user of the environment, with its environment_file',
  );
}
