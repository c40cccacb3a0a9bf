import { access } from 'node:fs/promises';
import { FraisierError } from '../proto/error-codes.js';
import { readTextFile } from './endpoint.js';

const PLACES = ['fraises.yaml', 'config/fraises.yaml'] as const;

/** The named configuration, or the one found in the usual places. Throws FraisierError `usage` when there is none. */
export async function readConfigurationFile(
  named: string | undefined,
): Promise<{ file: string; text: string }> {
  const file = named ?? (await firstThere(PLACES));
  return { file, text: await readTextFile(file) };
}

async function firstThere(places: readonly string[]): Promise<string> {
  for (const place of places) {
    if (
      await access(place).then(
        () => true,
        () => false,
      )
    )
      return place;
  }
  throw new FraisierError('usage', `no configuration here: neither ${places.join(' nor ')} exists`, {
    hint: 'name the file, or change to the folder that holds it',
  });
}
