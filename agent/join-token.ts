import { readFile } from 'node:fs/promises';
import { text } from 'node:stream/consumers';
import { FraisierError } from '../proto/error-codes.js';
import type { AgentConfig } from './config.js';

/** The join token from its file, standard input (`-`) or the environment; null: none was given. Never an argument. */
export async function readJoinToken({ joinTokenFile, joinToken }: AgentConfig): Promise<string | null> {
  if (joinTokenFile === null) return joinToken;
  try {
    return joinTokenFile === '-' ? await text(process.stdin) : await readFile(joinTokenFile, 'utf8');
  } catch (cause) {
    throw new FraisierError('usage', `the join token cannot be read from ${joinTokenFile}`, { cause });
  }
}
