import { realpath } from 'node:fs/promises';
import { basename, join, normalize, relative } from 'node:path';
import type { Target } from '../../proto/gen/fraisier/v1/plan.js';
import { runningProcesses } from '../exec/process-table.js';
import type { RunningProcess } from '../exec/process-table.js';
import { languageOfProgram, lookAtScript } from './interpreter.js';
import { fullUnitName } from './policy-rules.js';
import { layoutOf } from './release-layout.js';
import type { Systemd } from './step.js';
import { momentOf } from './unit-now.js';

/** Something of the fraise that is at work. Either a unit, or a process that no unit of the fraise stands for. */
export interface Running {
  /** For people, e.g. `process 812 (python3 run.py)`. */
  readonly what: string;
  /** Empty: a process. */
  readonly unit: string;
  /** 0: of a unit whose process is not known. */
  readonly pid: number;
  readonly since: Date;
}

/**
 * What of the fraise is at work now: units that are, and processes that run the script out of one of its releases, by the
 * table of processes. Limits: a process of another user is seen whole only by root; a script that is handed to its
 * interpreter other than by its name is not seen.
 */
export async function findRunning(
  target: Target,
  wanted: { readonly units: readonly string[]; readonly script: string },
  ports: { readonly systemd: Systemd | null; readonly now: () => Date },
): Promise<readonly Running[]> {
  const units = await Promise.all(wanted.units.map((unit) => unitAtWork(fullUnitName(unit), target, ports)));
  const busy = units.filter((one) => one !== null);
  const known = new Set(busy.map(({ pid }) => pid));
  const runs = wanted.script === '' ? [] : await processesOfScript(target, wanted.script, ports.now());
  return [...busy, ...runs.filter(({ pid }) => !known.has(pid))];
}

const PROPERTIES = [
  'ActiveState',
  'SubState',
  'MainPID',
  'ExecMainPID',
  'TriggeredBy',
  'StateChangeTimestamp',
];
const UNDER_WAY = ['activating', 'deactivating', 'reloading', 'refreshing'];

/** A service that nothing starts by itself is meant to stay up: being active it is not at work on something that ends. */
async function unitAtWork(
  unit: string,
  target: Target,
  { systemd, now }: { readonly systemd: Systemd | null; readonly now: () => Date },
): Promise<Running | null> {
  if (systemd === null) return null;
  const shown = await systemd.show(unit, PROPERTIES);
  const {
    ActiveState: state = '',
    SubState: sub,
    TriggeredBy: by = '',
    StateChangeTimestamp: at = '',
  } = shown;
  const isJob = by !== '' || target.jobs.some(({ service }) => fullUnitName(service) === unit);
  const runs = state === 'active' && sub !== 'exited' && isJob;
  if (!UNDER_WAY.includes(state) && !runs) return null;
  const { MainPID: main = '', ExecMainPID: last = '' } = shown;
  const pid = Number(main) || Number(last);
  const since = momentOf(at) ?? now();
  return { what: pid === 0 ? unit : `${unit} (process ${pid})`, unit, pid, since };
}

async function processesOfScript(target: Target, script: string, now: Date): Promise<readonly Running[]> {
  const { app } = layoutOf(target);
  const homes = [...new Set([app, await realpath(app).catch(() => app)])];
  const wanted = join(target.root, script);
  const found = await Promise.all(
    (await runningProcesses(now)).map(async (one) => ((await runsScript(one, homes, wanted)) ? one : null)),
  );
  return found
    .filter((one) => one !== null)
    .map(({ pid, argv, startedAt }) => ({
      what: `process ${pid} (${shorten(argv.join(' '))})`,
      unit: '',
      pid,
      since: startedAt,
    }));
}

/** The first word that is the script, called by itself or handed to something that runs scripts (not to an editor). */
async function runsScript(
  { argv, cwd, exe }: RunningProcess,
  homes: readonly string[],
  wanted: string,
): Promise<boolean> {
  for (const [at, word] of argv.entries()) {
    const path = word.startsWith('/') ? normalize(word) : join(cwd, word);
    if (basename(path) !== basename(wanted) && at > 0) continue;
    const real = await realpath(path).catch(() => path);
    if (![path, real].some((one) => isBelow(one, homes, wanted))) continue;
    return at === 0 || (await isInterpreterOf([exe, ...argv.slice(0, 1)], path));
  }
  return false;
}

/** `<app>/current/<script>`, `<app>/releases/<commit>/<script>`, or in place `<app>/<script>`. */
function isBelow(path: string, homes: readonly string[], wanted: string): boolean {
  return homes.some((home) => {
    const inside = relative(home, path);
    return inside.replace(/^(?:current|releases\/[0-9a-f]+)\//, '') === wanted;
  });
}

/** By the program itself, or by the name it was called by: one of another user does not show itself to everybody. */
async function isInterpreterOf(programs: readonly string[], script: string): Promise<boolean> {
  if (programs.some((program) => languageOfProgram(program) !== null)) return true;
  const { shebang } = await lookAtScript(script).catch(() => ({ shebang: '' }));
  return shebang !== '' && programs.some((program) => basename(shebang) === basename(program));
}

function shorten(text: string): string {
  return text.length > 100 ? `${text.slice(0, 97)}…` : text;
}
