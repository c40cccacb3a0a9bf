import { createHash } from 'node:crypto';
import { FraisierError } from './error-codes.js';

/** `join` enrols one agent once; `api` is a person or a program that calls the controller. */
export type TokenKind = 'join' | 'api';

/** A token taken apart; both parts are 43 characters of base64url (32 bytes). */
export interface ParsedToken {
  readonly kind: TokenKind;
  readonly secret: string;
  /** SHA-256 of the authority's certificate (DER): whom the token may be shown to. */
  readonly fingerprint: string;
}

const PREFIXES: Record<TokenKind, string> = { join: 'frj', api: 'fra' };
const SHAPE = /^(frj|fra)_([A-Za-z0-9_-]{43})_([A-Za-z0-9_-]{43})$/;

/**
 * Makes a token: `frj_<secret>_<fingerprint>` for joining, `fra_…` for the API. `fingerprint` is that of
 * `authorityFingerprint`; `randomBytes` is node:crypto's, or anything that returns as many bytes as asked for.
 */
export function newToken(
  kind: TokenKind,
  fingerprint: string,
  randomBytes: (size: number) => Uint8Array,
): string {
  return `${PREFIXES[kind]}_${Buffer.from(randomBytes(32)).toString('base64url')}_${fingerprint}`;
}

/** Takes a token apart; white space around it is ignored. Throws FraisierError `token_invalid`, which never quotes it. */
export function parseToken(text: string): ParsedToken {
  const [, prefix, secret, fingerprint] = SHAPE.exec(text.trim()) ?? [];
  if (secret === undefined || fingerprint === undefined)
    throw new FraisierError('token_invalid', whatIsWrong(text.trim()));
  return { kind: prefix === PREFIXES.join ? 'join' : 'api', secret, fingerprint };
}

/** SHA-256 of the trimmed token in hex: what is stored of it. */
export function tokenHash(text: string): string {
  return createHash('sha256').update(text.trim()).digest('hex');
}

/** SHA-256 of a certificate's DER bytes as tokens carry it. */
export function authorityFingerprint(certificateDer: Uint8Array): string {
  return createHash('sha256').update(certificateDer).digest('base64url');
}

function whatIsWrong(text: string): string {
  if (text === '') return 'the token is empty';
  if (!/^fr[ja]_/.test(text))
    return 'this is no token of fraisier: they begin with frj_ (to join) or fra_ (for the API)';
  if (text.length < 91) return `the token is cut short: it has ${text.length} characters instead of 91`;
  return 'the token is damaged: copy it again, whole and on one line';
}
