import { fileURLToPath } from 'node:url';

/**
 * `fraisier sql …` in a plan is a program of the agent's own, whatever `fraisier` is on the host's path: the node that runs
 * the agent, and the script beside this file. Any other command as it is.
 */
export function startable(argv: readonly string[]): readonly string[] {
  const [program, word, ...rest] = argv;
  if (program !== 'fraisier' || word !== 'sql') return argv;
  return [process.execPath, fileURLToPath(new URL('sql-program.js', import.meta.url)), ...rest];
}
