import { readFile } from 'node:fs/promises';
import { FraisierError } from '../../proto/error-codes.js';
import { parseEnvironmentFile } from '../exec/environment-file.js';

/** Shorter values are no secrets, and would be found in any answer. */
const SHORTEST_SECRET = 6;

/** The headers of a probe as they are sent, and what of them must be shown to nobody. */
export interface FilledHeaders {
  readonly headers: Readonly<Record<string, string>>;
  /** Whether anything was taken from the host's environment file. */
  readonly private: boolean;
  /** The text with every value that was taken from the file masked, as far as it stands there as it is. */
  readonly mask: (text: string) => string;
}

const REFERENCE = /\$\{([A-Za-z_][A-Za-z0-9_]*)(?::-([^}]*))?\}/g;

/**
 * Fills `${NAME}` and `${NAME:-default}` in from the environment file of this host, which is read only when there is one to
 * fill in. Throws `health_misconfigured` for a file that cannot be read and a name that it does not set.
 */
export async function fillHeaders(
  written: Readonly<Record<string, string>>,
  environmentFile: string,
): Promise<FilledHeaders> {
  if (!Object.values(written).some((value) => value.includes('${'))) {
    return { headers: written, private: false, mask: (text) => text };
  }
  const values = await valuesIn(environmentFile);
  const secrets: string[] = [];
  const filled = Object.entries(written).map(([header, template]) => {
    const value = template.replaceAll(REFERENCE, (_, name: string, otherwise: string | undefined) => {
      const known = Object.hasOwn(values, name) ? String(values[name]) : '';
      if (known === '' && otherwise === undefined) throw unset(header, name, environmentFile);
      if (known.length >= SHORTEST_SECRET) secrets.push(known);
      return known || String(otherwise);
    });
    return [header, value] as const;
  });
  const mask = (text: string): string =>
    secrets.reduce((left, secret) => left.replaceAll(secret, '***'), text);
  return { headers: Object.fromEntries(filled), private: true, mask };
}

async function valuesIn(file: string): Promise<Readonly<Record<string, string>>> {
  const text = file === '' ? null : await readFile(file, 'utf8').catch(() => null);
  if (text !== null) return parseEnvironmentFile(text);
  const what = file === '' ? 'there is no environment_file' : `the environment_file ${file} cannot be read`;
  throw new FraisierError('health_misconfigured', `its headers cannot be filled in: ${what}`, {
    hint: file === '' ? 'set environment_file for this environment' : `on the host: ls -l ${file}`,
  });
}

function unset(header: string, name: string, file: string): FraisierError {
  const message = `its header ${header} cannot be filled in: ${file} does not set ${name}`;
  return new FraisierError('health_misconfigured', message, {
    hint: `on the host, add ${name}=… to ${file}`,
  });
}
