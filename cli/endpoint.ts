import { readFile } from 'node:fs/promises';
import { isAbsolute, resolve } from 'node:path';
import { formatAddress, parseAddress } from '../proto/address.js';
import { FraisierError } from '../proto/error-codes.js';
import { fetchPinnedAuthority } from '../proto/pinned-authority.js';
import { parseToken } from '../proto/tokens.js';
import type { CliEnvironment } from './config.js';
import { readContexts, type Context, type Contexts } from './contexts.js';

const DEFAULT_PORT = 9090;

/** Which controller, as the flags and their environment variables say it. */
export interface Wish {
  readonly controller?: string | undefined;
  readonly tokenFile?: string | undefined;
  readonly context?: string | undefined;
}

/** A controller, and all that is needed to speak to it. */
export type Endpoint =
  | { readonly kind: 'socket'; readonly address: string; readonly path: string }
  | {
      readonly kind: 'tls';
      readonly address: string;
      readonly token: string;
      /** PEM: the only root that is trusted. */
      readonly authority: string;
    };

/**
 * Finds the controller: `--context`, else `--controller`, else the current context, else this machine's socket.
 * The token is `--token-file`'s, else `FRAISIER_TOKEN`, else the one stored for that address. A token that is not
 * stored brings the fingerprint of its authority, and the server is checked against it before anything is sent.
 */
export async function findEndpoint(wish: Wish, environment: CliEnvironment): Promise<Endpoint> {
  const known = await readContexts(environment.contextsFile);
  const stored = storedContext(wish, known);
  const address = normalAddress(stored?.address ?? wish.controller ?? `unix:${environment.localSocket}`);
  if (address.startsWith('unix:')) return { kind: 'socket', address, path: address.slice('unix:'.length) };
  const brought = await broughtToken(wish, environment);
  if (brought !== undefined) return vouchedFor(address, brought);
  if (stored !== undefined) return { kind: 'tls', address, token: stored.token, authority: stored.authority };
  throw new FraisierError('usage', `no token for the controller at ${address}`, {
    hint: `fraisier login ${address}`,
  });
}

/** A TLS endpoint from a token alone. Throws `usage` for none, `token_invalid`, `controller_untrusted` or `controller_away`. */
export async function vouchedFor(address: string, token: string): Promise<Endpoint & { kind: 'tls' }> {
  if (token.trim() === '')
    throw new FraisierError('usage', 'the token is empty', { hint: 'fraisier login --token-file FILE' });
  const { kind, fingerprint } = parseToken(token);
  if (kind === 'join') {
    throw new FraisierError(
      'token_invalid',
      'this token lets an agent join; the command line wants an API token',
      {
        hint: 'on the host: fraisier agent --controller ADDRESS --join-token-file FILE',
      },
    );
  }
  const { authorityPem } = await fetchPinnedAuthority(address, fingerprint);
  return { kind: 'tls', address, token: token.trim(), authority: authorityPem };
}

/** The token from `--token-file` (`-`: standard input) or the environment; undefined when neither is given. */
export async function broughtToken(
  wish: Pick<Wish, 'tokenFile'>,
  environment: Pick<CliEnvironment, 'token'>,
): Promise<string | undefined> {
  if (wish.tokenFile === undefined) return environment.token;
  return (await readTextFile(wish.tokenFile)).trim();
}

/** A file's text; `-` is standard input. Throws FraisierError `usage` when it cannot be read. */
export async function readTextFile(file: string): Promise<string> {
  if (file === '-') return (await process.stdin.toArray()).map(String).join('');
  return readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
    const why = error.code === 'ENOENT' ? 'there is no such file' : error.message;
    throw new FraisierError('usage', `cannot read ${file}: ${why}`, { cause: error });
  });
}

/** `HOST[:PORT]` with its port, or `unix:` with an absolute path. Throws FraisierError `usage`. */
export function normalAddress(address: string): string {
  if (address.startsWith('unix:')) {
    const path = address.slice('unix:'.length).replace(/^\/\/(?=\/)/, '');
    if (path === '')
      throw new FraisierError('usage', `"${address}" is no address: a path is wanted after unix:`);
    return `unix:${isAbsolute(path) ? path : resolve(path)}`;
  }
  return formatAddress(parseAddress(address, DEFAULT_PORT));
}

function storedContext(wish: Wish, known: Contexts): Context | undefined {
  if (wish.context !== undefined) return named(wish.context, known);
  if (wish.controller === undefined) return known.current === null ? undefined : named(known.current, known);
  const address = normalAddress(wish.controller);
  return Object.values(known.contexts).find((context) => context.address === address);
}

function named(name: string, known: Contexts): Context {
  const context = known.contexts[name];
  if (context !== undefined) return context;
  const names = Object.keys(known.contexts).join(', ') || 'none';
  throw new FraisierError('usage', `there is no context "${name}" (known: ${names})`, {
    hint: `fraisier login ADDRESS --context ${name}`,
  });
}
