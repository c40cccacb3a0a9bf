import { randomBytes } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

const ALPHABET = '0123456789abcdefghjkmnpqrstvwxyz';
const LENGTH = 14;

/** A new id: the prefix and 70 random bits in lower-case letters and digits that are not mistaken for each other. */
export function newId(prefix: string): string {
  return `${prefix}_${[...randomBytes(LENGTH)].map((byte) => ALPHABET[byte & 31]).join('')}`;
}

/** This controller's own id, made once per state folder. */
export async function controllerId(state: string): Promise<string> {
  const file = join(state, 'controller-id');
  const found = await readFile(file, 'utf8').catch(() => '');
  if (/^c_\w+$/.test(found.trim())) return found.trim();
  const id = newId('c');
  await writeFile(file, `${id}\n`);
  return id;
}
