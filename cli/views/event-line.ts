import type { WatchEvent } from '../../proto/gen/fraisier/v1/control.js';
import type { RunEvent } from '../../proto/gen/fraisier/v1/agent.js';
import { enumWord } from '../json.js';
import type { Look } from '../look.js';
import { span, status } from './words.js';

/** One event as one plain line without its end, for logs and pipes. */
export function eventLine({ at, event }: WatchEvent, look: Look): string {
  const time = at === undefined ? '--:--:--Z' : `${at.toISOString().slice(11, 19)}Z`;
  if (event === undefined) return `${time} an event this program does not know`;
  if (event.$case === 'deployment') {
    const { status: word, reason } = event.value;
    return [time, status(word, look), ...(reason === undefined ? [] : [reason.message])].join(' ');
  }
  const { host, phase, event: run } = event.value;
  return `${time} ${host} ${enumWord(phase)} ${runWords(run, look)}`;
}

function runWords(run: RunEvent | undefined, look: Look): string {
  const event = run?.event;
  switch (event?.$case) {
    case 'runStarted':
      return 'started';
    case 'stepStarted':
      return `${event.value.step} started${event.value.attempt > 1 ? ` (attempt ${event.value.attempt})` : ''}`;
    case 'stepNote':
      return `${event.value.step}: ${event.value.message}`;
    case 'stepFinished': {
      const { step, outcome, durationMs, reason } = event.value;
      const why = reason === undefined ? '' : `: ${reason.message}`;
      return `${step} ${status(enumWord(outcome), look)} in ${span(durationMs)}${why}`;
    }
    case 'runFinished': {
      const why = event.value.reason === undefined ? '' : `: ${event.value.reason.message}`;
      return `${status(enumWord(event.value.outcome), look)}${why}`;
    }
    case undefined:
      return 'did something this program does not know';
  }
}
