import { execFileSync } from 'node:child_process';
import { mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

/** A real repository, served over file://. */
export interface TestRepository {
  readonly folder: string;
  readonly url: string;
  readonly git: (...args: string[]) => string;
  /** Writes files (null: removes; `-> x`: a link), commits, and returns the commit. */
  readonly commit: (files: Readonly<Record<string, string | null>>, message?: string) => string;
}

export function aRepository(parent: string, name = 'origin'): TestRepository {
  const folder = join(parent, name);
  mkdirSync(folder, { recursive: true });
  const git = (...args: string[]): string =>
    execFileSync(
      'git',
      ['-c', 'user.name=Test', '-c', 'user.email=test@example.com', '-c', 'commit.gpgsign=false', ...args],
      {
        cwd: folder,
        encoding: 'utf8',
        stdio: ['ignore', 'pipe', 'pipe'],
      },
    ).trim();
  git('init', '--quiet', '--initial-branch=main');
  const commit = (files: Readonly<Record<string, string | null>>, message = 'change'): string => {
    for (const [path, text] of Object.entries(files)) write(join(folder, path), text);
    git('add', '--all', '--force');
    git('commit', '--quiet', '--allow-empty', '-m', message);
    return git('rev-parse', 'HEAD');
  };
  return { folder, url: `file://${folder}`, git, commit };
}

function write(path: string, text: string | null): void {
  rmSync(path, { recursive: true, force: true });
  if (text === null) return;
  mkdirSync(dirname(path), { recursive: true });
  if (text.startsWith('-> ')) symlinkSync(text.slice(3), path);
  else writeFileSync(path, text);
}
