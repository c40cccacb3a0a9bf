import type { ExecSpec } from '../../agent/exec/exec.js';
import type { Random } from './random.js';
import type { Installed } from './installed.js';
import type { Play } from './simulated-processes.js';
import type { Commit, Pair, Software } from './software.js';

const NO_EFFECT = (): void => undefined;

/** What each command of a plan does here. How long it takes and whether it hangs is drawn for each start. */
export function commandPlays(
  software: Software,
  random: Random,
  installedAs: (pair: Pair) => Installed,
): (spec: ExecSpec) => Play {
  return (spec) => {
    const own = random.fork(spec.id);
    const play = playOf(spec, software, own, installedAs);
    const hangs = own.chance(software.habits.hangs);
    return { ...play, lastsMs: hangs ? 3_600_000 : play.lastsMs, deaf: own.chance(software.habits.deaf) };
  };
}

function playOf(
  { argv, environment }: ExecSpec,
  software: Software,
  random: Random,
  installedAs: (pair: Pair) => Installed,
): Play {
  const pair = {
    fraise: environment['FRAISIER_FRAISE'] ?? '',
    environment: environment['FRAISIER_ENVIRONMENT'] ?? '',
  };
  const sha = environment['FRAISIER_COMMIT'] ?? '';
  const commit = software.commit(pair.fraise, sha);
  const flaky = random.chance(software.habits.flaky);
  switch (argv[0] ?? '') {
    case 'fetch':
      return plain(random.whole(200, 8_000), flaky ? 128 : 0);
    case 'stage':
      return {
        ...plain(random.whole(100, 2_000), flaky ? 1 : 0),
        effect: (part) => {
          if (part === 1 && !flaky) installedAs(pair).releases.add(sha);
        },
      };
    case 'npm':
      return plain(random.whole(1_000, 30_000), commit?.installs === true && !flaky ? 0 : 1);
    case 'hook':
      return plain(random.whole(100, 45_000), flaky ? 1 : 0);
    case 'db-status':
      return { ...plain(random.whole(100, 1_500), 0), prints: printedStatus(software, pair, commit) };
    case 'db-up':
      return migrateUp(software, pair, commit, random);
    case 'db-down':
      return migrateDown(software, pair, commit, environment, random);
    default:
      return plain(random.whole(10, 200), 0);
  }
}

function plain(lastsMs: number, exitCode: number): Play {
  return {
    lastsMs,
    ends: { ended: 'exited', exitCode },
    prints: `exit ${exitCode}\n`,
    effect: NO_EFFECT,
    deaf: false,
  };
}

function printedStatus(software: Software, pair: Pair, commit: Commit | null): string {
  return commit === null ? 'no such tree\n' : `${software.database(pair).status(commit)}\n`;
}

function migrateUp(software: Software, pair: Pair, commit: Commit | null, random: Random): Play {
  const lastsMs = random.whole(500, 40_000);
  if (commit === null) return plain(lastsMs, 1);
  const database = software.database(pair);
  const pending = commit.migrations.filter((id) => !database.applied.includes(id));
  const works = commit.brokenMigration === null || !pending.includes(commit.brokenMigration);
  const effect = (part: number): void =>
    void database.up(commit, part === 1 ? pending.length : Math.floor(part * (pending.length + 1)));
  return { ...plain(lastsMs, works ? 0 : 1), effect };
}

function migrateDown(
  software: Software,
  pair: Pair,
  commit: Commit | null,
  environment: ExecSpec['environment'],
  random: Random,
): Play {
  const ids = (environment['FRAISIER_APPLIED'] ?? '').split(' ').filter((id) => id !== '');
  const works = commit?.downWorks === true;
  const most = works ? ids.length : Math.floor(ids.length / 2);
  const effect = (part: number): void =>
    software.database(pair).down(ids, part === 1 ? most : Math.floor(part * most));
  return { ...plain(random.whole(500, 20_000), works ? 0 : 1), effect };
}
