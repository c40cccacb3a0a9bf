import { Ansis } from 'ansis';
import type { CliEnvironment } from './config.js';

/** How an answer may look: the ink (colourless when colours are not wanted), the time it is told, and the width. */
export interface Look {
  readonly ink: Ansis;
  readonly now: Date;
  readonly columns: number;
}

const USUAL_COLUMNS = 80;

/** Colours only on a terminal that wants them. */
export function lookFor(
  stream: Pick<NodeJS.WriteStream, 'isTTY' | 'columns'>,
  environment: Pick<CliEnvironment, 'mayColour'>,
  flags: { readonly 'no-color': boolean },
  now: Date,
): Look {
  const colour = stream.isTTY && environment.mayColour && !flags['no-color'];
  const columns = stream.isTTY ? stream.columns || USUAL_COLUMNS : Number.POSITIVE_INFINITY;
  return { ink: new Ansis(colour ? 1 : 0), now, columns };
}
