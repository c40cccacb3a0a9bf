import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { packageRoot } from '../proto/package-root.js';

/** The version of this package. */
export async function agentVersion(): Promise<string> {
  const { version } = JSON.parse(await readFile(join(packageRoot(), 'package.json'), 'utf8')) as {
    version: string;
  };
  return version;
}
