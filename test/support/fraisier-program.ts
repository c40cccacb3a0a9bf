import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const bundle = fileURLToPath(new URL('../../bundle/bin.js', import.meta.url));

/** The program under test: the same build as this file. What tsc alone has built has no bundle. */
export const FRAISIER = existsSync(bundle)
  ? bundle
  : fileURLToPath(new URL('../../cli/bin.js', import.meta.url));

/**
 * This process's environment without what would steer the programs, and without coverage: taking it in every child costs
 * minutes of a whole run, and those that are killed lose it.
 */
export function plainEnvironment(): Record<string, string | undefined> {
  const steering = /^(FRAISIER_|GIT_|DATABASE_URL$|NODE_V8_COVERAGE$)/;
  const kept = Object.entries(process.env).filter(([name]) => !steering.test(name));
  return { ...Object.fromEntries(kept), NODE_V8_COVERAGE: undefined };
}
