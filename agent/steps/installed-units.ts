import { createHash } from 'node:crypto';
import { lstat, readdir, readFile, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { Job } from '../../proto/gen/fraisier/v1/plan.js';
import type { Target } from '../../proto/gen/fraisier/v1/plan.js';
import { isCode } from './ends.js';
import type { UnitFile } from './job-units.js';
import { layoutOf } from './release-layout.js';
import { writeWhole } from './write-file.js';

/** The jobs of a release as they were put in place, with the files that came with it. */
export interface InstalledUnits {
  readonly commit: string;
  readonly jobs: readonly Job[];
  readonly files: readonly UnitFile[];
}

/** Older ones are forgotten: a release that is gone back to so late gets its files from the commit again. */
const MOST_RECORDS = 100;

/** What was put in place last; null: nothing ever was. */
export function readInstalled(stateFolder: string, target: Target): Promise<InstalledUnits | null> {
  return readRecord(join(recordsFolder(stateFolder, target), 'installed.json'));
}

/** What was put in place for a release. */
export function readInstalledFor(
  stateFolder: string,
  target: Target,
  commit: string,
): Promise<InstalledUnits | null> {
  return readRecord(join(recordsFolder(stateFolder, target), `${commit}.json`));
}

/** The jobs whose timers count now: those of the release that was put in place last. */
export async function installedJobs(stateFolder: string, target: Target): Promise<readonly Job[]> {
  return (await readInstalled(stateFolder, target))?.jobs ?? target.jobs;
}

/** Kept in the agent's own folder: whoever may write to the app's must not say what root puts into systemd's. */
export async function writeInstalled(
  stateFolder: string,
  target: Target,
  installed: InstalledUnits,
): Promise<void> {
  const folder = recordsFolder(stateFolder, target);
  const text = `${JSON.stringify(installed)}\n`;
  await writeWhole(join(folder, `${installed.commit}.json`), text, 0o600);
  await writeWhole(join(folder, 'installed.json'), text, 0o600);
  await forgetOld(folder);
}

/** Nothing is in place any more. */
export async function forgetInstalled(stateFolder: string, target: Target): Promise<void> {
  await rm(join(recordsFolder(stateFolder, target), 'installed.json'), { force: true });
}

function recordsFolder(stateFolder: string, target: Target): string {
  const { app } = layoutOf(target);
  return join(stateFolder, 'units', createHash('sha256').update(app).digest('hex').slice(0, 32));
}

async function readRecord(file: string): Promise<InstalledUnits | null> {
  const text = await readFile(file, 'utf8').catch((error: unknown) => {
    if (isCode(error, 'ENOENT')) return null;
    throw error;
  });
  if (text === null) return null;
  const { commit, jobs, files } = JSON.parse(text) as InstalledUnits;
  return { commit, jobs: jobs.map((job) => Job.fromPartial(job)), files };
}

async function forgetOld(folder: string): Promise<void> {
  const names = (await readdir(folder)).filter((name) => /^[0-9a-f]+\.json$/.test(name));
  const aged = await Promise.all(
    names.map(async (name) => ({ name, at: (await stat(join(folder, name))).mtimeMs })),
  );
  const old = aged.toSorted((one, other) => other.at - one.at).slice(MOST_RECORDS);
  for (const { name } of old) await rm(join(folder, name), { force: true });
}

/** First line of every file that is put into systemd's folder: by it, and by nothing else, it is known to be ours. */
function headerOf(target: Pick<Target, 'appPath'>): string {
  return `# Installed by Fraisier for ${layoutOf(target).app}; what is changed here is lost at the next deployment.\n`;
}

/** Whether it was put there for some fraise of this host. */
export function isOfFraisier(text: string): boolean {
  return text.startsWith('# Installed by Fraisier for ');
}

/** What is written for a file of the repository. */
export function withHeader(target: Pick<Target, 'appPath'>, text: string): string {
  return headerOf(target) + text;
}

/** A unit as it lies in systemd's folder. `text` is that of the repository, without our first line. */
export type FoundUnit =
  | { readonly is: 'absent' }
  | { readonly is: 'ours' | 'foreign'; readonly text: string };

/** Looks at the host's file of a unit; a link or a folder is foreign, whatever it says. */
export async function findUnit(
  unitFolder: string,
  unit: string,
  target: Pick<Target, 'appPath'>,
): Promise<FoundUnit> {
  const file = join(unitFolder, unit);
  const there = await lstat(file).catch((error: unknown) => {
    if (isCode(error, 'ENOENT', 'ENOTDIR')) return null;
    throw error;
  });
  if (there === null) return { is: 'absent' };
  if (!there.isFile()) return { is: 'foreign', text: '' };
  const text = await readFile(file, 'utf8');
  const header = headerOf(target);
  return text.startsWith(header) ? { is: 'ours', text: text.slice(header.length) } : { is: 'foreign', text };
}

/** The names of all units in systemd's folder that are ours. */
export async function listOurs(
  unitFolder: string,
  target: Pick<Target, 'appPath'>,
): Promise<readonly string[]> {
  const names = (await readdir(unitFolder)).filter((name) => /\.(?:service|timer)$/.test(name));
  const found = await Promise.all(
    names.map(async (name) => ((await findUnit(unitFolder, name, target)).is === 'ours' ? name : '')),
  );
  return found.filter((name) => name !== '').toSorted();
}
