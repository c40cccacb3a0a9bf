import { fileURLToPath } from 'node:url';

/** The program under test: the same build as this file. */
export const FRAISIER = fileURLToPath(new URL('../../cli/bin.js', import.meta.url));

/** This process's environment without what would steer the programs; coverage of children is kept. */
export function plainEnvironment(): Record<string, string | undefined> {
  const steering = /^(FRAISIER_|GIT_|DATABASE_URL$)/;
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !steering.test(name)));
}

/** The same without coverage, for programs that are killed, which loses it: taking it costs minutes of a whole run. */
export function uncoveredEnvironment(): Record<string, string | undefined> {
  return { ...plainEnvironment(), NODE_V8_COVERAGE: undefined };
}
