import { newToken, tokenHash } from '../proto/tokens.js';
import { FraisierError } from '../proto/error-codes.js';
import type { Ledger } from './deployments/ledger.js';
import type { Records } from './deployments/records.js';
import { writeWhole } from './write-whole.js';

export interface FirstTokenEdges {
  readonly ledger: Ledger;
  readonly records: Records;
  readonly fingerprint: string;
  readonly randomBytes: (size: number) => Uint8Array;
  /** Writes to a person's standard error. */
  readonly say: (text: string) => void;
}

/**
 * Makes an API token with the role admin when this database has none, and shows it once: in `file` (made, mode 0600) or
 * on standard error, with the command to use it. `address` is the one to log in to.
 */
export async function ensureFirstToken(
  edges: FirstTokenEdges,
  address: string,
  file: string | null,
): Promise<void> {
  const { ledger, records, fingerprint, randomBytes, say } = edges;
  if (await records.anyApiToken()) return;
  const token = newToken('api', fingerprint, randomBytes);
  if (file !== null) await writeTokenFile(file, token);
  await records.insertApiToken({
    tokenHash: tokenHash(token),
    name: 'admin',
    role: 'admin',
    expiresAt: null,
    revokedAt: null,
  });
  await ledger.audit({
    actor: 'controller',
    action: 'api_token_created',
    subject: 'admin',
    facts: { role: 'admin' },
  });
  if (file === null)
    say(`\nThe first API token, role admin, shown only this once:\n\n  ${token}\n\n${howToUse(address, '')}`);
  else
    say(`\nThe first API token, role admin, is in ${file}.\n${howToUse(address, ` --token-file ${file}`)}`);
}

function howToUse(address: string, flags: string): string {
  return `Use it from another machine: fraisier login ${address}${flags}\n(On this machine the command line needs no token.)\n\n`;
}

async function writeTokenFile(file: string, token: string): Promise<void> {
  await writeWhole(file, `${token}\n`, 0o600).catch((error: NodeJS.ErrnoException) => {
    throw new FraisierError(
      'invalid_configuration',
      `the first token cannot be written to ${file}: ${error.message}`,
      {
        hint: 'name a file in an existing folder with --first-token-file',
        cause: error,
      },
    );
  });
}
