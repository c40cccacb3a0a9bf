import { FraisierError } from '../../proto/error-codes.js';
import { newToken, tokenHash } from '../../proto/tokens.js';
import type { Actor } from '../deployments/edges.js';
import type { Ledger } from '../deployments/ledger.js';

const DEFAULT_TTL_MS = 60 * 60 * 1000;
const LONGEST_TTL_MS = 30 * 24 * 60 * 60 * 1000;
const MOST_LABELS = 64;
const NAME = /^[a-z0-9][a-z0-9-]{0,62}$/;
const LABEL_KEY = /^[A-Za-z0-9][A-Za-z0-9._/-]{0,62}$/;
const LABEL_VALUE = /^[^\p{Cc}]{0,255}$/u;

export interface JoinTokenEdges {
  readonly ledger: Ledger;
  /** Of the authority, as tokens carry it. */
  readonly fingerprint: string;
  readonly randomBytes: (size: number) => Uint8Array;
}

export interface JoinTokenRequest {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  /** 0: one hour. */
  readonly ttlMs: number;
  /** HOST:PORT at which hosts reach the controller, for the command. */
  readonly controller: string;
}

export interface CreatedJoinToken {
  /** Shown this once: only its hash is stored. */
  readonly token: string;
  readonly expiresAt: Date;
  /** What to paste on the host; the token stands in its environment, never among its arguments. */
  readonly command: string;
}

/** Makes a one-time token for an agent of this name with these labels. Throws FraisierError `usage`. */
export async function createJoinToken(
  edges: JoinTokenEdges,
  request: JoinTokenRequest,
  actor: Actor,
): Promise<CreatedJoinToken> {
  checkRequest(request);
  const token = newToken('join', edges.fingerprint, edges.randomBytes);
  const expiresAt = await edges.ledger.transaction(async (tx) => {
    const expires = new Date((await tx.now()).getTime() + (request.ttlMs || DEFAULT_TTL_MS));
    const { name, labels } = request;
    await tx.insertJoinToken({
      tokenHash: tokenHash(token),
      name,
      labels,
      createdBy: actor.name,
      expiresAt: expires,
    });
    await tx.audit({ actor: actor.name, action: 'join_token_created', subject: name, facts: { ...labels } });
    return expires;
  });
  return {
    token,
    expiresAt,
    command: `FRAISIER_JOIN_TOKEN=${token} fraisier agent --controller ${request.controller}`,
  };
}

function checkRequest({ name, labels, ttlMs }: JoinTokenRequest): void {
  if (!NAME.test(name)) {
    throw usage(
      `"${name}" is no name for a host: wanted are 1 to 63 of a-z, 0-9 and -, not beginning with -`,
    );
  }
  if (Object.keys(labels).length > MOST_LABELS) throw usage(`a host has at most ${MOST_LABELS} labels`);
  for (const [key, value] of Object.entries(labels)) {
    if (!LABEL_KEY.test(key) || !LABEL_VALUE.test(value))
      throw usage(`"${key}=${value}" is no label: wanted is KEY=VALUE`);
  }
  if (ttlMs > LONGEST_TTL_MS) throw usage('a join token lives for at most 30 days');
}

function usage(message: string): FraisierError {
  return new FraisierError('usage', message);
}
