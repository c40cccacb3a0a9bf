import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { plainEnvironment } from '../support/fraisier-program.js';
import { Program } from '../support/program.js';
import { until } from '../support/until.js';
import type { Fleet } from './fleet.js';

/** A real `git daemon` for the repositories of a fleet; it serves those that are marked for it. */
export function gitDaemon({ lab, repositories }: Fleet): Program {
  const flags = ['--reuseaddr', `--base-path=${repositories}`, `--listen=${lab.address}`];
  const asked = ['git', 'ls-remote', `git://${lab.address}/none.git`];
  return new Program({
    name: 'git daemon',
    argv: lab.argv(['git', 'daemon', ...flags]),
    environment: plainEnvironment(),
    cwd: lab.folder,
    logFile: join(lab.folder, 'git-daemon.log'),
    ready: async (signal) => {
      const refuses = async () => (await lab.exec(asked)).stderr.includes('not exported');
      await until('git daemon to answer', refuses, { everyMs: 100, signal });
    },
  });
}

/** The mark by which the daemon serves a repository. */
export function exportMark({ repositories }: Fleet, name: string): string {
  return join(repositories, `${name}.git`, 'git-daemon-export-ok');
}

/** Marks a repository for the daemon. Returns its address there. */
export async function exported(fleet: Fleet, name: string): Promise<string> {
  await writeFile(exportMark(fleet, name), '');
  return `git://${fleet.lab.address}/${name}.git`;
}
