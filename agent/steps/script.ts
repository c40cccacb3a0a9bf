import { realpath, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Script } from '../../proto/gen/fraisier/v1/plan.js';
import { endOfCommand, failed, isCode, succeeded } from './ends.js';
import { checkerOf, KNOWN_EXTENSIONS, lookAtScript } from './interpreter.js';
import type { Language, ScriptFile } from './interpreter.js';
import { mayRunCommand } from './policy-rules.js';
import { treeOf, workFolder } from './place.js';
import { releaseCommand } from './release-command.js';
import { layoutOf } from './release-layout.js';
import type { RunStep, StepContext, StepEnd } from './step.js';

/** Looks whether the script of the release can be started and parses, without running it; or runs it, and nothing else. */
export const script: RunStep<Script> = async (spec, context) => {
  const file = join(workFolder(treeOf(context, spec.commit), context.target), spec.path);
  const problem = await placeProblem(file, spec, context);
  if (problem !== null) return problem;
  const found = await lookAtScript(file);
  if (!found.executable && found.language === null) return notStartable(spec);
  return spec.run ? run(file, found, spec, context) : check(file, found, spec, context);
};

/** A link that leads elsewhere would be read with the agent's rights. */
async function placeProblem(
  file: string,
  { path, commit }: Script,
  context: StepContext,
): Promise<StepEnd | null> {
  const { shared } = layoutOf(context.target);
  const real = await realpath(file).catch((error: unknown) => {
    if (isCode(error, 'ENOENT', 'ENOTDIR', 'ELOOP')) return null;
    throw error;
  });
  const hint = 'correct script_path, or commit the script';
  if (real === null)
    return failed('script_invalid', `the script ${path} is not in the commit ${commit}`, { hint });
  const homes = [treeOf(context, commit), shared].map((folder) => realpath(folder).catch(() => folder));
  if (!(await Promise.all(homes)).some((home) => real.startsWith(`${home}/`)))
    return failed('script_invalid', `the script ${path} is a link that leads out of the release`, { hint });
  if ((await stat(real)).isFile()) return null;
  return failed('script_invalid', `the script ${path} is not a file`, { hint });
}

function notStartable({ path }: Script): StepEnd {
  const known = KNOWN_EXTENSIONS.join(' ');
  return failed(
    'script_invalid',
    `the script ${path} cannot be started: it is not executable, and neither its first line nor its name says what runs it (${known})`,
    { hint: `git update-index --chmod=+x ${path}` },
  );
}

async function run(
  file: string,
  { executable, language }: ScriptFile,
  { path, commit }: Script,
  context: StepContext,
): Promise<StepEnd> {
  const argv = executable || language === null ? [file] : [language.interpreter, file];
  const end = await context.command(releaseCommand(argv, { user: '', commit }, context));
  if (end.ended === 'exited' && end.exitCode === 0) return succeeded({ exitCode: 0 });
  return endOfCommand(end, `the script ${path}`, 'command_failed');
}

async function check(
  file: string,
  found: ScriptFile,
  { path }: Script,
  context: StepContext,
): Promise<StepEnd> {
  const { language } = found;
  if (language === null) return unchecked(`what ${found.shebang || path} takes is not known here`, context);
  const program = await checkerOf(found, language, layoutOf(context.target).app);
  const argv = [program, ...language.check, file];
  if (language.checkRuns && !mayCheck([program, ...language.check, path], context)) {
    const line = [program, ...language.check, path].join(' ');
    return unchecked(`that runs parts of it, and the policy does not list "${line}"`, context);
  }
  return endOfCheck(argv, dirname(file), path, language, context);
}

function mayCheck(argv: readonly string[], { policy }: StepContext): boolean {
  return mayRunCommand(policy, argv) === null;
}

async function endOfCheck(
  argv: readonly string[],
  cwd: string,
  path: string,
  { name }: Language,
  context: StepContext,
): Promise<StepEnd> {
  const { user } = context.target;
  const end = await context.command({ argv, cwd, ...(user === '' ? {} : { user }) });
  if (end.ended === 'not_found') return unchecked(end.message, context);
  if (end.ended === 'exited' && end.exitCode === 0)
    return succeeded({ summary: `${path} parses as ${name}` });
  return endOfCommand(end, `reading ${path} through as ${name}`, 'script_invalid');
}

/** It is there and can be started; more is not known. */
async function unchecked(why: string, context: StepContext): Promise<StepEnd> {
  await context.note('not_checked', `the script was not read through: ${why}`);
  return succeeded({ summary: 'not read through' });
}
