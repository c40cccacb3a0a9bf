import { join } from 'node:path';
import type { Job, Target } from '../../proto/gen/fraisier/v1/plan.js';
import type { RunGit } from './git.js';
import { fullUnitName } from './policy-rules.js';
import { ask } from './mirror.js';

/** A unit of a job, and where in the repository its file may be. */
export interface JobUnit {
  readonly unit: string;
  /** Empty: it is the host's own. */
  readonly path: string;
  /** The configuration names the file itself, so it has to be there. */
  readonly named: boolean;
}

/** The text of a unit as it is in a commit. */
export interface UnitFile {
  readonly unit: string;
  readonly text: string;
}

/** The units of every job, each once: those of the service and of the timer. */
export function unitsOf({ jobs, units: folder }: Pick<Target, 'jobs' | 'units'>): readonly JobUnit[] {
  const all = jobs.flatMap(({ service, timer, serviceFile, timerFile }) => [
    jobUnit(service, serviceFile, folder),
    jobUnit(timer, timerFile, folder),
  ]);
  return [...new Map(all.map((one) => [one.unit, one])).values()];
}

function jobUnit(name: string, file: string, folder: string): JobUnit {
  const unit = fullUnitName(name);
  if (file !== '') return { unit, path: file, named: true };
  return { unit, path: folder === '' ? '' : join(folder, unit), named: false };
}

/** The timers of jobs. */
export function timersOf(jobs: readonly Job[]): readonly string[] {
  return jobs.map(({ timer }) => fullUnitName(timer));
}

/**
 * The text of a file as the commit has it, by the agent's own mirror and not by a tree that others may have written to.
 * Null: there is no such plain file.
 */
export async function textInCommit(
  git: RunGit,
  mirror: string,
  commit: string,
  path: string,
): Promise<string | null> {
  const listed = await ask(git, mirror, ['ls-tree', commit, '--', path]);
  const [, object] = /^100(?:644|755) blob ([0-9a-f]+)\t/.exec(listed ?? '') ?? [];
  const text = object === undefined ? null : await ask(git, mirror, ['cat-file', 'blob', object]);
  return text === null ? null : `${text}\n`;
}

/** What of the units comes with the commit. */
export async function filesInCommit(
  target: Target,
  commit: string,
  git: RunGit,
  mirror: string,
): Promise<{ readonly files: readonly UnitFile[]; readonly missing: readonly JobUnit[] }> {
  const files: UnitFile[] = [];
  const missing: JobUnit[] = [];
  for (const one of unitsOf(target)) {
    const text = one.path === '' ? null : await textInCommit(git, mirror, commit, one.path);
    if (text !== null) files.push({ unit: one.unit, text });
    else if (one.named) missing.push(one);
  }
  return { files, missing };
}
