import { constants } from 'node:fs';
import { open, realpath, stat } from 'node:fs/promises';
import { basename, extname } from 'node:path';

/** What a script is written in: how it is started, and how it is read through without running it. */
export interface Language {
  readonly name: string;
  readonly interpreter: string;
  /** The program is put before, the script behind. */
  readonly check: readonly string[];
  /** Reading it through runs parts of it (BEGIN blocks). */
  readonly checkRuns: boolean;
}

/** Compiles and writes nothing; without the site's own modules, which are code as well. */
const PYTHON_CHECK =
  'import sys; compile(open(sys.argv[1], "rb").read(), sys.argv[1], "exec", dont_inherit=True)';

const language = (name: string, interpreter: string, check: readonly string[], checkRuns = false) => ({
  name,
  interpreter,
  check,
  checkRuns,
});
const PYTHON = language('Python', 'python3', ['-I', '-S', '-c', PYTHON_CHECK]);
const SHELL = language('shell', 'sh', ['-n']);
const BASH = language('bash', 'bash', ['-n']);
const NODE = language('JavaScript', 'node', ['--check']);
const RUBY = language('Ruby', 'ruby', ['-c']);
const PERL = language('Perl', 'perl', ['-c'], true);
const PHP = language('PHP', 'php', ['-l']);

const BY_EXTENSION: Readonly<Record<string, Language>> = {
  '.py': PYTHON,
  '.sh': SHELL,
  '.bash': BASH,
  '.js': NODE,
  '.mjs': NODE,
  '.cjs': NODE,
  '.rb': RUBY,
  '.pl': PERL,
  '.php': PHP,
};

const BY_PROGRAM: readonly (readonly [RegExp, Language])[] = [
  [/^python[\d.]*$/, PYTHON],
  [/^(?:sh|dash|ash)$/, SHELL],
  [/^bash$/, BASH],
  [/^node(?:js)?$/, NODE],
  [/^ruby[\d.]*$/, RUBY],
  [/^perl[\d.]*$/, PERL],
  [/^php[\d.]*$/, PHP],
];

/** The extensions that say what a script is written in. */
export const KNOWN_EXTENSIONS = Object.keys(BY_EXTENSION);

/** What the program of this name runs; null for one that is not known. */
export function languageOfProgram(path: string): Language | null {
  const name = basename(path);
  return BY_PROGRAM.find(([pattern]) => pattern.test(name))?.[1] ?? null;
}

/** A script as it lies there. */
export interface ScriptFile {
  readonly executable: boolean;
  /** The program on its first line, absolute or a name to look for; empty without such a line. */
  readonly shebang: string;
  /** By its first line, or else by its extension; null: not known. */
  readonly language: Language | null;
}

/** Looks at a file that is there. */
export async function lookAtScript(file: string): Promise<ScriptFile> {
  const { mode } = await stat(file);
  const executable = (mode & (constants.S_IXUSR | constants.S_IXGRP | constants.S_IXOTH)) !== 0;
  const shebang = programOf(await firstLine(file));
  const byName = BY_EXTENSION[extname(file)] ?? null;
  return { executable, shebang, language: shebang === '' ? byName : (languageOfProgram(shebang) ?? byName) };
}

/** `#!/usr/bin/env -S python3 -u` is python3. */
function programOf(line: string): string {
  const [program = '', ...words] = line.startsWith('#!') ? line.slice(2).trim().split(/\s+/) : [];
  if (basename(program) !== 'env') return program;
  return words.find((word) => !word.startsWith('-') && !word.includes('=')) ?? '';
}

async function firstLine(file: string): Promise<string> {
  const handle = await open(file);
  try {
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(256), 0, 256, 0);
    const [line = ''] = buffer.toString('latin1', 0, bytesRead).split('\n', 1);
    return line;
  } finally {
    await handle.close();
  }
}

/** What reads the script through: its own interpreter if that is the host's, never one that came with the code. */
export async function checkerOf(
  { shebang }: Pick<ScriptFile, 'shebang'>,
  { interpreter }: Language,
  app: string,
): Promise<string> {
  if (!shebang.startsWith('/')) return shebang === '' ? interpreter : basename(shebang);
  const real = await realpath(shebang).catch(() => '');
  return real === '' || real.startsWith(`${app}/`) ? interpreter : real;
}
