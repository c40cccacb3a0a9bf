import type { Command } from '../../proto/gen/fraisier/v1/plan.js';
import { argvOf } from './command-line.js';
import { endOfCommand, succeeded } from './ends.js';
import type { EndWithReason } from './ends.js';
import { oncePerRelease } from './once-per-release.js';
import { releaseCommand } from './release-command.js';
import { layoutOf } from './release-layout.js';
import type { RunStep, StepCommand, StepContext, StepEnd } from './step.js';

/** Runs one command of the plan in its release. One command only: a later agent adopts it by that. */
export const command: RunStep<Command> = (spec, context) =>
  oncePerRelease(spec, context, () => runIt(spec, context));

async function runIt(spec: Command, context: StepContext): Promise<StepEnd> {
  const argv = argvOf(spec);
  const end = await context.command(commandOf(argv, spec, context));
  if (end.ended === 'exited' && end.exitCode === 0) return succeeded({ exitCode: 0 });
  if (spec.hook === '') return endOfCommand(end, nameOf(argv), 'command_failed');
  return ofHook(endOfCommand(end, `the hook ${spec.hook}: ${nameOf(argv)}`, 'hook_failed'), spec);
}

function commandOf(argv: readonly string[], spec: Command, context: StepContext): StepCommand {
  const hook = spec.hook === '' ? {} : { FRAISIER_HOOK: spec.hook };
  const environment = { ...spec.environment, ...hook };
  if (spec.commit !== '') return releaseCommand(argv, spec, context, { environment });
  // There is no tree yet: the folder of the fraise is all there is.
  const later = releaseCommand(argv, { ...spec, commit: context.commit }, context, { environment });
  return { ...later, cwd: layoutOf(context.target).app };
}

/** Which hook it was, for programs. */
function ofHook(end: EndWithReason, { hook }: Command): StepEnd {
  return { ...end, reason: { ...end.reason, facts: { ...end.reason.facts, hook } } };
}

/** Short enough for a sentence. */
export function nameOf(argv: readonly string[]): string {
  const [program, flag, ...line] = argv;
  const words = program === '/bin/sh' && flag === '-c' ? line : argv;
  const plain = words.join(' ').replace(/\s+/g, ' ').trim();
  return `the command "${plain.length > 100 ? `${plain.slice(0, 97)}…` : plain}"`;
}
