import { readFile } from 'node:fs/promises';
import { parseEnvironmentFile } from '../exec/environment-file.js';

/**
 * The plan's environment of a migration, its PGOPTIONS behind those of the host's own file, which it would replace
 * otherwise: the later of two equal options counts. A file that cannot be read is the command's own failure, later.
 */
export async function withOwnOptions(
  environment: Readonly<Record<string, string>>,
  environmentFile: string,
): Promise<Readonly<Record<string, string>>> {
  const limits = environment['PGOPTIONS'];
  if (limits === undefined || environmentFile === '') return environment;
  const text = await readFile(environmentFile, 'utf8').catch(() => '');
  const own = parseEnvironmentFile(text)['PGOPTIONS'];
  return own === undefined ? environment : { ...environment, PGOPTIONS: `${own} ${limits}` };
}
