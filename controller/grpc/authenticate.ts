import type { Metadata } from '@grpc/grpc-js';
import { FraisierError } from '../../proto/error-codes.js';
import { PROTOCOL_METADATA } from '../../proto/grpc-errors.js';
import { protocolMismatch } from '../../proto/protocol-version.js';
import { tokenHash } from '../../proto/tokens.js';
import type { Actor } from '../deployments/edges.js';
import type { Records, Role } from '../deployments/records.js';

/** Says who calls, or throws FraisierError `unauthenticated`, `token_expired`. */
export type Identify = (metadata: Metadata) => Promise<Actor>;

const RANK: Record<Role, number> = { viewer: 0, deployer: 1, admin: 2 };

/** On the unix socket: whoever can open it. */
export const identifyLocal: Identify = () => Promise.resolve({ name: 'local', role: 'admin' });

/** On the TLS port: the bearer token of the metadata key `authorization`, by its hash. */
export function identifyByToken(records: Pick<Records, 'apiToken'>, now: () => Date): Identify {
  return async (metadata) => {
    const token = await records.apiToken(tokenHash(bearerToken(metadata)));
    if (token === null) throw refused('unauthenticated', 'this controller does not know this token');
    if (token.revokedAt !== null) throw refused('unauthenticated', `the token ${token.name} was revoked`);
    if (token.expiresAt !== null && token.expiresAt <= now()) {
      throw refused('token_expired', `the token ${token.name} expired at ${token.expiresAt.toISOString()}`);
    }
    return { name: token.name, role: token.role };
  };
}

/** Throws FraisierError `not_allowed` unless the actor has this role or a higher one. */
export function requireRole(actor: Actor, role: Role): void {
  if (RANK[actor.role] >= RANK[role]) return;
  throw new FraisierError('not_allowed', `${actor.name} is ${actor.role}; this needs the role ${role}`, {
    hint: `ask for a token with the role ${role}`,
  });
}

/** Throws FraisierError `protocol_mismatch`. Callers that say nothing (a generic gRPC tool) are let through. */
export function checkProtocol(metadata: Metadata): void {
  const said = metadata.get(PROTOCOL_METADATA)[0];
  if (said === undefined) return;
  const mismatch = protocolMismatch(Number(said), 'controller', 'command line');
  if (mismatch !== undefined) throw new FraisierError('protocol_mismatch', mismatch);
}

function bearerToken(metadata: Metadata): string {
  const [, token] = /^Bearer (.+)$/i.exec(String(metadata.get('authorization')[0] ?? '')) ?? [];
  if (token === undefined) throw refused('unauthenticated', 'a token is needed and none was sent');
  return token;
}

function refused(code: 'unauthenticated' | 'token_expired', message: string): FraisierError {
  return new FraisierError(code, message, {
    hint: 'log in with a token: fraisier login ADDRESS, or set FRAISIER_TOKEN',
  });
}
