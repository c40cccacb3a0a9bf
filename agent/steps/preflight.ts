import { mkdir, stat, statfs } from 'node:fs/promises';
import { dirname } from 'node:path';
import { Outcome } from '../../proto/gen/fraisier/v1/agent.js';
import type { Preflight, Target } from '../../proto/gen/fraisier/v1/plan.js';
import { runProgram } from '../exec/run-program.js';
import { findUser, ownUser } from '../exec/users.js';
import type { HostUser } from '../exec/users.js';
import { checkPolicy } from './check-policy.js';
import { endOfDiskError, failed, isCode, succeeded } from './ends.js';
import type { FailedEnd } from './ends.js';
import { giveTo } from './give-to.js';
import { liveCommit, placeOf } from './place.js';
import { fullUnitName } from './policy-rules.js';
import { checkoutProblem, treeProblem } from './preflight-in-place.js';
import { isInPlace, isProvenGood, kindOfCurrent, layoutOf, liveRelease } from './release-layout.js';
import { isSettled, isUnhealthyNow } from './settled.js';
import type { RunStep, StepContext, StepEnd, Systemd } from './step.js';
import { releasesNotTrusted } from './trusted-releases.js';

const GIT_LOOK_MS = 30_000;

/** Looks whether a deployment can work on this host, before anything is done; makes the empty folder it goes to. */
export const preflight: RunStep<Preflight> = async (spec, context) =>
  (await policyProblem(context)) ??
  (await hostProblem(context.target, context.systemd)) ??
  (await gitProblem(context.signal)) ??
  (await (isInPlace(context.target) ? treeProblem(context) : releasesProblem(context))) ??
  (await spaceProblem(spec, context)) ??
  (await whatIsLive(spec, context));

async function whatIsLive(spec: Preflight, context: StepContext): Promise<StepEnd> {
  const live = await liveCommit(context);
  const previousProvenGood = await isProvenGood(placeOf(context), live);
  const settled = spec.settle && (await isSettled(spec, context));
  const unhealthy = live !== '' && !settled && (await isUnhealthyNow(spec, context));
  return succeeded({
    previousRelease: live,
    previousProvenGood,
    ...(spec.look ? { unhealthy } : {}),
    ...(spec.settle ? { settled } : {}),
  });
}

/** What the host lacks for this target: found by looking only. */
export async function hostProblem(
  target: Target,
  systemd: Systemd | null,
  own: HostUser = ownUser(),
): Promise<FailedEnd | null> {
  return (
    (await userProblem(target, own)) ??
    (isInPlace(target)
      ? await checkoutProblem(target)
      : await releasesNotTrusted(layoutOf(target).releases, 'preflight_failed', own)) ??
    (await unitProblem(target.systemdService, systemd)) ??
    (await unitProblem(target.systemdSocket, systemd))
  );
}

async function policyProblem({ target, step, policy }: StepContext): Promise<StepEnd | null> {
  const refused = await checkPolicy(target, [step], policy);
  return refused === null ? null : { outcome: Outcome.FAILED, reason: refused };
}

async function userProblem({ user }: Target, own: HostUser): Promise<FailedEnd | null> {
  if (user === '' || user === own.name) return null;
  if (own.uid !== 0) {
    return failed('unknown_user', `the agent runs as ${own.name} and cannot run anything as ${user}`, {
      hint: 'leave `user:` out, or run the agent as root: sudo fraisier agent install',
    });
  }
  if ((await findUser(user)) !== null) return null;
  return failed('unknown_user', `there is no user ${user} on this host`, {
    hint: `sudo useradd --system --home /nonexistent ${user}`,
    facts: { user },
  });
}

async function releasesProblem(context: StepContext): Promise<StepEnd | null> {
  return (await folderProblem(context)) ?? (await currentProblem(context));
}

/** Made if it is not there, for the user the code runs as. */
async function folderProblem({ target }: StepContext): Promise<StepEnd | null> {
  const { app } = layoutOf(target);
  const there = await stat(app).catch(() => null);
  if (there !== null)
    return there.isDirectory() ? null : failed('preflight_failed', `app_path ${app} is not a folder`);
  try {
    await mkdir(app, { recursive: true, mode: 0o755 });
    await giveTo(target.user, app);
    return null;
  } catch (error) {
    const hint = `sudo install -d -o ${target.user || ownUser().name} ${app}`;
    return endOfDiskError(error, `app_path ${app} is not there and cannot be made`, 'preflight_failed', hint);
  }
}

/** What is live must be ours, or it could not be gone back to: found out before anything is touched. */
async function currentProblem({ target }: StepContext): Promise<StepEnd | null> {
  const kind = await kindOfCurrent(target);
  if (kind === 'nothing' || (kind === 'link' && (await liveRelease(target)) !== '')) return null;
  const { current } = layoutOf(target);
  const message = `${current} is not a link to a release of Fraisier, which could not go back to what it is`;
  return failed('preflight_failed', message, {
    hint: `move it away: mv ${current} ${current}.before-fraisier`,
  });
}

async function unitProblem(name: string, systemd: Systemd | null): Promise<FailedEnd | null> {
  if (name === '') return null;
  const unit = fullUnitName(name);
  if (systemd === null) {
    return failed('preflight_failed', `${unit} cannot be restarted: there is no systemd on this host`, {
      hint: 'use `restart: {command: […]}` in the configuration',
    });
  }
  const state = (await systemd.show(unit, ['LoadState']))['LoadState'] ?? '';
  if (state === 'loaded') return null;
  const known = state === '' ? 'systemd did not answer' : `systemd says ${state}`;
  return failed('unknown_unit', `there is no unit ${unit} on this host (${known})`, {
    hint: `put it into /etc/systemd/system/${unit}, then: sudo systemctl daemon-reload`,
    facts: { unit, load_state: state },
  });
}

/** Looks only, so it is not recorded like a command of the step: it need not be found again by another agent. */
export async function gitProblem(
  signal: AbortSignal,
  look: typeof runProgram = runProgram,
): Promise<FailedEnd | null> {
  const end = await look(['git', '--version'], { timeoutMs: GIT_LOOK_MS, signal });
  if (end.exitCode === 0) return null;
  if (!end.problem.endsWith('ENOENT')) {
    const said = end.stderr.trim() || end.problem || `it ended with ${end.exitCode}`;
    return failed('preflight_failed', `git does not work on this host: ${said}`, {
      hint: 'on the host: git --version',
    });
  }
  return failed('preflight_failed', 'git is not installed on this host', {
    hint: 'sudo apt-get install git',
  });
}

async function spaceProblem({ minFreeBytes }: Preflight, context: StepContext): Promise<StepEnd | null> {
  for (const folder of [layoutOf(context.target).app, context.stateFolder]) {
    const free = await freeBytes(folder);
    if (free >= minFreeBytes) continue;
    return failed(
      'disk_full',
      `${megabytes(free)} free at ${folder}, and ${megabytes(minFreeBytes)} wanted`,
      {
        hint: 'free space on this host, then retry',
        facts: { folder, free_bytes: String(free), wanted_bytes: String(minFreeBytes) },
      },
    );
  }
  return null;
}

/** For whoever is not root, at the folder or where it will be. */
export async function freeBytes(folder: string): Promise<number> {
  try {
    const { bavail, bsize } = await statfs(folder);
    return bavail * bsize;
  } catch (error) {
    if (folder === dirname(folder) || !isCode(error, 'ENOENT', 'ENOTDIR')) throw error;
    return freeBytes(dirname(folder));
  }
}

function megabytes(bytes: number): string {
  return `${Math.floor(bytes / 1024 / 1024)} MiB`;
}
