import { chmod, mkdir, open, readFile, rename } from 'node:fs/promises';
import { dirname } from 'node:path';
import { randomBytes } from 'node:crypto';
import { FraisierError } from '../proto/error-codes.js';

/** A controller this person has logged in to. The token is as good as a password: the file is 0600. */
export interface Context {
  /** `HOST:PORT` or `unix:PATH`. */
  readonly address: string;
  /** Empty for a unix socket. */
  readonly token: string;
  /** PEM of the only authority that is trusted for this address; empty for a unix socket. */
  readonly authority: string;
}

export interface Contexts {
  /** The one used when nothing else is asked for. */
  readonly current: string | null;
  readonly contexts: Readonly<Record<string, Context>>;
}

/** Everything stored; none when there is no file yet. Throws FraisierError `usage` when the file cannot be understood. */
export async function readContexts(file: string): Promise<Contexts> {
  const text = await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined;
    throw new FraisierError('usage', `cannot read ${file}: ${error.message}`, { cause: error });
  });
  if (text === undefined) return { current: null, contexts: {} };
  const found = parsed(text);
  if (found !== undefined) return found;
  const hint = 'move it away, then: fraisier login ADDRESS';
  throw new FraisierError('usage', `${file} is not what fraisier login writes`, { hint });
}

/** Adds or replaces one context and makes it the current one. Atomic: a reader sees the old file or the new one. */
export async function storeContext(file: string, name: string, context: Context): Promise<void> {
  const known = await readContexts(file);
  const next: Contexts = { current: name, contexts: { ...known.contexts, [name]: context } };
  await mkdir(dirname(file), { recursive: true, mode: 0o700 });
  const draft = `${file}.${randomBytes(6).toString('hex')}`;
  const handle = await open(draft, 'wx', 0o600);
  try {
    await handle.writeFile(`${JSON.stringify(next, null, 2)}\n`);
    await handle.sync();
  } finally {
    await handle.close();
  }
  await chmod(draft, 0o600);
  await rename(draft, file);
}

function parsed(text: string): Contexts | undefined {
  try {
    const value = JSON.parse(text) as Partial<Contexts> | null;
    const usable = typeof value?.contexts === 'object' && Object.values(value.contexts).every(isContext);
    return usable ? { current: value.current ?? null, contexts: value.contexts } : undefined;
  } catch {
    return undefined;
  }
}

function isContext(value: unknown): value is Context {
  const fields = value as Partial<Context> | null;
  return [fields?.address, fields?.token, fields?.authority].every((field) => typeof field === 'string');
}
