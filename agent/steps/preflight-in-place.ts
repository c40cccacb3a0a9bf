import { stat } from 'node:fs/promises';
import { gitFolderOf, headOf, noOrigin, repositoryOf } from './checkout.js';
import { readBrokenOff } from './broken-checkout.js';
import { dirtyProblem } from './dirty-tree.js';
import { firstFault, runHere } from './git-in-checkout.js';
import { endOfCommand, failed, saidBy } from './ends.js';
import { refuseAddress } from './git.js';
import { layoutOf } from './release-layout.js';
import { Outcome } from '../../proto/gen/fraisier/v1/agent.js';
import type { Target } from '../../proto/gen/fraisier/v1/plan.js';
import type { FailedEnd } from './ends.js';
import type { StepContext, StepEnd } from './step.js';

/** What is wrong with the checkout at `app_path`, found by looking at its files; null when nothing is. */
export async function checkoutProblem(target: Target): Promise<FailedEnd | null> {
  const { app } = layoutOf(target);
  const facts = { app_path: app };
  const url = target.repository === '' ? 'URL' : target.repository;
  const clone = `on the host: git clone ${url} ${app}`;
  const there = await stat(app).catch(() => null);
  if (there === null)
    return failed('preflight_failed', `there is no checkout at ${app}, and the layout in_place updates one`, {
      hint: clone,
      facts,
    });
  if ((await gitFolderOf(app)) === null) {
    const message = `${app} is not a git checkout, and the layout in_place updates one`;
    return failed('preflight_failed', message, { hint: clone, facts });
  }
  const repository = await repositoryOf(target);
  const address = repository === '' ? noOrigin(app).reason : refuseAddress(repository);
  if (address !== null) return { outcome: Outcome.FAILED, reason: { ...address, code: 'preflight_failed' } };
  if ((await headOf(app)) !== '') return null;
  const hint = `on the host: git -C ${app} pull`;
  return failed('preflight_failed', `the checkout ${app} has no commit to go back to`, { hint, facts });
}

/** Whether its user can work in it, and nothing that was changed there would be lost. */
export async function treeProblem(context: StepContext): Promise<StepEnd | null> {
  const owner = await ownerProblem(context);
  if (owner !== null) return owner;
  if ((await readBrokenOff(context)) === null) return dirtyProblem(context);
  await context.log('a checkout was broken off here: the next one puts the tree in order');
  return null;
}

/** Git refuses a checkout that belongs to another user, or that it cannot read. */
async function ownerProblem(context: StepContext): Promise<StepEnd | null> {
  const { app } = layoutOf(context.target);
  const end = await runHere(context, ['rev-parse', '--show-toplevel']);
  if (end.ended !== 'exited') return endOfCommand(end, 'git rev-parse', 'preflight_failed');
  if (end.exitCode === 0) return null;
  const who = context.target.user === '' ? 'the user of the agent' : context.target.user;
  const message = /dubious ownership|unsafe repository/.test(saidBy(end))
    ? `the checkout ${app} does not belong to ${who}, as whom git runs there`
    : `git does not work in the checkout ${app} as ${who}: ${firstFault(saidBy(end))}`;
  const hint = `name its owner by \`user:\` in the configuration, or on the host: sudo chown -R ${context.target.user || 'root'}: ${app}`;
  return failed('preflight_failed', message, { hint, facts: { app_path: app } });
}
