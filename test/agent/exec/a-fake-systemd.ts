import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { program, writeExecutable } from './a-spec.js';

/** `systemd-run`, `systemctl` and `journalctl` over a table of units of this test's own. */
export interface FakeSystemd {
  readonly table: string;
  readonly systemdRun: string;
  readonly systemctl: string;
  readonly journalctl: string;
  /** Adds a unit that is not transient. */
  readonly addUnit: (unit: string, state: object) => Promise<void>;
  /** What `systemd-run` was told of a unit. */
  readonly told: (unit: string) => Promise<string>;
}

export async function aFakeSystemd(folder: string): Promise<FakeSystemd> {
  const table = join(folder, 'systemd');
  await mkdir(table);
  const fake = (name: string, act: string): Promise<string> =>
    writeExecutable(
      join(table, name),
      `#!/bin/sh\nFAKE_SYSTEMD=${quoted(table)} exec ${quoted(process.execPath)} ${quoted(program('fake-systemd.cjs'))} ${act} "$@"\n`,
    );
  return {
    table,
    systemdRun: await fake('systemd-run', 'run'),
    systemctl: await fake('systemctl', 'ctl'),
    journalctl: await fake('journalctl', 'journal'),
    addUnit: (unit, state) =>
      writeFile(join(table, `${unit}.json`), JSON.stringify({ LoadState: 'loaded', ...state })),
    told: (unit) => readFile(join(table, `${unit}.json`), 'utf8'),
  };
}

/** A checkout may be below a folder with a space, or an apostrophe. */
function quoted(word: string): string {
  return `'${word.replaceAll("'", `'\\''`)}'`;
}
