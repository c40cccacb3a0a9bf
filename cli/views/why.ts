import type { Explanation } from '../../proto/gen/fraisier/v1/control.js';
import type { Look } from '../look.js';
import { nextCommand, subject } from './deployment.js';
import { placeWords } from './status.js';
import { lines } from './table.js';
import { status } from './words.js';

/** What it is about, then each cause below the one that it explains, then what to type. */
export function chainOfCauses(explanation: Explanation, look: Look): string {
  const { deployment, causes, queued, fraise, environment } = explanation;
  const chain = causes.map(
    ({ message }, depth) => `${'  '.repeat(depth + 1)}${depth === 0 ? '' : '└ '}${message}`,
  );
  if (deployment === undefined) {
    const head = `${look.ink.bold(`${fraise} → ${environment}`)}  nothing waits`;
    return lines([head, ...chain, ...nextLine(explanation.next)]);
  }
  const head = `${deployment.id}  ${subject(deployment)}  ${status(deployment.status, look)}${placeWords(queued)}`;
  const clear = causes.length === 0 ? '  nothing is in its way' : null;
  const next = explanation.next === '' ? nextCommand(deployment) : explanation.next;
  return lines([head, ...(clear === null ? chain : [clear]), ...nextLine(next)]);
}

function nextLine(next: string): readonly string[] {
  return next === '' ? [] : [`next: ${next}`];
}
