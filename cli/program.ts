import { readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { run } from '@oclif/core/run';
import type { Interfaces } from '@oclif/core';
import { packageRoot } from '../proto/package-root.js';
import { COMMANDS } from './commands.js';
import { EXIT } from './exit-codes.js';
import { failureOf, failureJson, failureText, wantsJson } from './failures.js';

const WIDEST_HELP = 110;

/** Runs one command line and answers its exit code; what went wrong has been said on stderr. Never rejects. */
export async function runProgram(typed: readonly string[]): Promise<number> {
  leaveWhenNobodyReads();
  const argv = typed[0] === 'help' ? [...typed.slice(1), '--help'] : typed;
  try {
    const code: unknown = await run([...argv], loadOptions());
    await new Promise((written) => process.stdout.write('', written));
    return typeof code === 'number' ? code : EXIT.done;
  } catch (error) {
    const failure = failureOf(error, commandOf(argv));
    if (failure.message !== '')
      process.stderr.write(wantsJson(argv) ? failureJson(failure) : failureText(failure));
    return failure.exitCode;
  }
}

/** The words of the command that was typed, empty when there is no such command. */
function commandOf(argv: readonly string[]): string {
  const candidates = [argv.slice(0, 2), argv.slice(0, 1)];
  return candidates.find((words) => Object.hasOwn(COMMANDS, words.join(':')))?.join(' ') ?? '';
}

/** The command table stands beside this file, in whatever folder the program was built to. */
function loadOptions(): Interfaces.LoadOptions {
  const root = packageRoot();
  const here = dirname(fileURLToPath(import.meta.url));
  const pjson = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as Interfaces.PJSON;
  const oclif = {
    bin: 'fraisier',
    dirname: 'fraisier',
    topicSeparator: ' ' as const,
    commands: {
      strategy: 'explicit' as const,
      target: relative(root, join(here, 'commands.js')),
      identifier: 'COMMANDS',
    },
    additionalHelpFlags: ['-h'],
    helpOptions: {
      flagSortOrder: 'none' as const,
      maxWidth: Math.min(process.stdout.columns || 80, WIDEST_HELP),
    },
    topics: {
      agent: { description: 'on a server: run the agent, install it, widen what it may do' },
      agents: { description: 'on the controller: the enrolled hosts, their tokens' },
      webhooks: { description: 'the ledger of deliveries' },
    },
  };
  return { root, pjson: { ...pjson, oclif }, ignoreManifest: true };
}

/** `fraisier history | head`: a reader that has seen enough is no fault to report. */
function leaveWhenNobodyReads(): void {
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') process.exit(EXIT.away);
    throw error;
  });
}
