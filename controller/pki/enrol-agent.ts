import { FraisierError } from '../../proto/error-codes.js';
import type { EnrollRequest } from '../../proto/gen/fraisier/v1/enrollment.js';
import { protocolMismatch } from '../../proto/protocol-version.js';
import { parseToken, tokenHash } from '../../proto/tokens.js';
import type { Ledger } from '../deployments/ledger.js';
import type { JoinTokenRow } from '../deployments/ledger/agent.js';
import {
  readSigningRequest,
  type CertificateAuthority,
  type IssuedCertificate,
  type SigningRequest,
} from './certificate-authority.js';

export interface EnrolmentEdges {
  readonly ledger: Ledger;
  readonly authority: CertificateAuthority;
}

export interface Enrolment {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly certificatePem: string;
}

/**
 * Trades a join token for a certificate: once, before it expires, and again for the same key when the answer was lost.
 * Name and labels are the token's. Throws FraisierError `token_invalid`, `token_used`, `token_expired`,
 * `agent_revoked`, `protocol_mismatch` or `protocol_violation`; refusals of a known token are audited.
 */
export async function enrolAgent(edges: EnrolmentEdges, request: EnrollRequest): Promise<Enrolment> {
  const mismatch = protocolMismatch(request.protocolVersion, 'controller', 'agent');
  if (mismatch !== undefined) throw new FraisierError('protocol_mismatch', mismatch);
  checkToken(edges.authority, request.token);
  const signing = await readSigningRequest(request.csrPem);
  const outcome = await edges.ledger.transaction((tx) =>
    redeem({ ...edges, ledger: tx }, tokenHash(request.token), signing),
  );
  if (outcome instanceof FraisierError) throw outcome;
  return outcome;
}

function checkToken(authority: CertificateAuthority, text: string): void {
  const token = parseToken(text);
  if (token.kind !== 'join') {
    throw new FraisierError(
      'token_invalid',
      'this is an API token: to enrol, an agent needs a join token (frj_…)',
      {
        hint: 'fraisier agents token --name NAME',
      },
    );
  }
  if (token.fingerprint !== authority.fingerprint) throw unknownToken();
}

/** A refusal is returned, not thrown: its audit row must commit. */
async function redeem(
  { ledger, authority }: EnrolmentEdges,
  hash: string,
  signing: SigningRequest,
): Promise<Enrolment | FraisierError> {
  const token = await ledger.holdJoinToken(hash);
  if (token === null) throw unknownToken();
  const now = await ledger.now();
  const refusal = await refusalOf(ledger, token, signing, now);
  if (refusal !== null) {
    await ledger.audit(
      auditRow('enrolment_refused', token, { code: refusal.reason.code, key: signing.publicKeyHash }),
    );
    return refusal;
  }
  const certificate = await authority.issueAgent(token.name, signing, now);
  await record(ledger, token, signing, certificate);
  return { name: token.name, labels: token.labels, certificatePem: certificate.certificatePem };
}

async function refusalOf(
  ledger: Ledger,
  token: JoinTokenRow,
  signing: SigningRequest,
  now: Date,
): Promise<FraisierError | null> {
  if (token.usedAt !== null && token.usedByKey !== signing.publicKeyHash) {
    return refuse('token_used', `this token was used at ${token.usedAt.toISOString()} by another key`, token);
  }
  if (token.expiresAt <= now)
    return refuse('token_expired', `this token expired at ${token.expiresAt.toISOString()}`, token);
  return token.usedAt === null ? null : staleRepeat(ledger, token, token.usedAt);
}

/** A repeat is for a lost answer only: it undoes neither a revocation nor a later enrolment. */
async function staleRepeat(ledger: Ledger, token: JoinTokenRow, usedAt: Date): Promise<FraisierError | null> {
  const agent = await ledger.agent(token.name);
  if (agent === null || agent.revokedAt !== null) {
    return refuse('agent_revoked', `${token.name} was revoked after this token was used`, token);
  }
  if (agent.enrolledAt.getTime() > usedAt.getTime() + 1000) {
    return refuse('token_used', `${token.name} was enrolled again since this token was used`, token);
  }
  return null;
}

async function record(
  ledger: Ledger,
  token: JoinTokenRow,
  signing: SigningRequest,
  { serial, expiresAt }: IssuedCertificate,
): Promise<void> {
  const { name, labels, tokenHash: hash } = token;
  if (token.usedAt === null) {
    await ledger.enrolAgent({ name, labels, certificateSerial: serial, certificateExpiresAt: expiresAt });
    await ledger.useJoinToken(hash, signing.publicKeyHash);
  } else {
    await ledger.setCertificate(name, serial, expiresAt);
  }
  await ledger.audit(auditRow('agent_enrolled', token, { serial, key: signing.publicKeyHash }));
}

function auditRow(
  action: string,
  token: JoinTokenRow,
  facts: Record<string, string>,
): Parameters<Ledger['audit']>[0] {
  return {
    actor: `agent:${token.name}`,
    action,
    subject: token.name,
    facts: { ...facts, token_by: token.createdBy },
  };
}

function unknownToken(): FraisierError {
  return new FraisierError('token_invalid', 'this controller does not know this token', {
    hint: 'make a new one: fraisier agents token --name NAME',
  });
}

function refuse(
  code: 'token_used' | 'token_expired' | 'agent_revoked',
  message: string,
  token: JoinTokenRow,
): FraisierError {
  return new FraisierError(code, message, {
    hint: `make a new one: fraisier agents token --name ${token.name}`,
  });
}
