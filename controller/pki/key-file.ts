import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import { link, mkdir, open, readFile, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { FraisierError } from '../../proto/error-codes.js';

const KEY_BYTES = 32;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;

/** Reads the 32-byte key; null when there is no such file. Throws FraisierError `invalid_configuration` for anything else. */
export async function readKeyFile(path: string): Promise<Buffer | null> {
  const text = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return null;
    throw new FraisierError(
      'invalid_configuration',
      `the key file ${path} cannot be read: ${error.message}`,
      { cause: error },
    );
  });
  if (text === null) return null;
  const key = Buffer.from(text.trim(), 'base64');
  if (key.length === KEY_BYTES) return key;
  throw new FraisierError(
    'invalid_configuration',
    `${path} is no key file: wanted are 32 bytes in base64 on one line`,
    {
      hint: 'copy the key file of the controller that made the certificate authority (key, in its state folder)',
    },
  );
}

/** Reads the key file, making it first (mode 0600, whole or not at all) when there is none. */
export async function ensureKeyFile(path: string): Promise<Buffer> {
  const found = await readKeyFile(path);
  if (found !== null) return found;
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  await publish(path, `${randomBytes(KEY_BYTES).toString('base64')}\n`);
  return (await readKeyFile(path)) as Buffer;
}

/** AES-256-GCM: nonce, tag and ciphertext in one piece. */
export function seal(key: Buffer, plain: Uint8Array): Uint8Array {
  const nonce = randomBytes(NONCE_BYTES);
  const cipher = createCipheriv('aes-256-gcm', key, nonce);
  const sealed = Buffer.concat([cipher.update(plain), cipher.final()]);
  return Buffer.concat([nonce, cipher.getAuthTag(), sealed]);
}

/** The other direction; throws when the key is another one or the bytes were changed. */
export function unseal(key: Buffer, sealed: Uint8Array): Buffer {
  const bytes = Buffer.from(sealed);
  const decipher = createDecipheriv('aes-256-gcm', key, bytes.subarray(0, NONCE_BYTES), {
    authTagLength: TAG_BYTES,
  });
  decipher.setAuthTag(bytes.subarray(NONCE_BYTES, NONCE_BYTES + TAG_BYTES));
  return Buffer.concat([decipher.update(bytes.subarray(NONCE_BYTES + TAG_BYTES)), decipher.final()]);
}

/** Of two processes that make it at once, one wins and both read the winner's. */
async function publish(path: string, text: string): Promise<void> {
  const temporary = `${path}.${randomBytes(6).toString('hex')}`;
  const file = await open(temporary, 'wx', 0o600);
  try {
    await file.writeFile(text);
    await file.sync();
    await link(temporary, path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  } finally {
    await file.close();
    await rm(temporary, { force: true });
  }
}
