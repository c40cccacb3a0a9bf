import 'reflect-metadata';
import { randomBytes, webcrypto } from 'node:crypto';
import { isIP } from 'node:net';
import {
  AuthorityKeyIdentifierExtension,
  BasicConstraintsExtension,
  ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  KeyUsageFlags,
  KeyUsagesExtension,
  SubjectAlternativeNameExtension,
  SubjectKeyIdentifierExtension,
  X509CertificateGenerator,
  type JsonGeneralNames,
  type PublicKey,
  type X509Certificate,
} from '@peculiar/x509';

export const EC_P256 = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const;

const DAY_MS = 24 * 60 * 60 * 1000;
const AUTHORITY_MS = 20 * 365 * DAY_MS;
/** Certificates begin this long before they are made: clocks of hosts differ. */
export const BACKDATED_MS = 60 * 60 * 1000;
const SERVER_MS = 30 * DAY_MS;
const AGENT_MS = 7 * DAY_MS;

const AUTHORITY_NAME = [{ CN: ['Fraisier certificate authority'] }];
const AGENT_URI = 'fraisier://agent/';

/** The authority's certificate and the key that signs with it. */
export interface Signer {
  readonly certificate: X509Certificate;
  readonly key: webcrypto.CryptoKey;
}

/** Hexadecimal, positive, 16 bytes: what the record keeps of a certificate. */
export function newSerial(): string {
  const bytes = randomBytes(16);
  bytes[0] = ((bytes[0] as number) & 0x7f) | 0x40;
  return bytes.toString('hex');
}

/** The self-signed root, EC P-256, 20 years. */
export async function makeAuthority(
  now: Date,
): Promise<{ certificate: X509Certificate; keys: webcrypto.CryptoKeyPair }> {
  const keys = await webcrypto.subtle.generateKey(EC_P256, true, ['sign', 'verify']);
  const certificate = await X509CertificateGenerator.createSelfSigned({
    serialNumber: newSerial(),
    name: AUTHORITY_NAME,
    ...validity(now, AUTHORITY_MS),
    keys,
    signingAlgorithm: EC_P256,
    extensions: [
      new BasicConstraintsExtension(true, 0, true),
      new KeyUsagesExtension(KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign, true),
      await SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  });
  return { certificate, keys };
}

/** For a controller's own ports: server authentication for these names and addresses, 30 days. */
export function serverCertificate(
  signer: Signer,
  publicKey: webcrypto.CryptoKey,
  names: readonly string[],
  now: Date,
): Promise<X509Certificate> {
  return sign(signer, {
    publicKey,
    subject: 'Fraisier controller',
    names: names.map((name) => ({ type: isIP(name) === 0 ? 'dns' : 'ip', value: name })),
    usage: ExtendedKeyUsage.serverAuth,
    serial: newSerial(),
    ...validity(now, SERVER_MS),
  });
}

/** For an agent: client authentication as this name and nothing else, 7 days. */
export function agentCertificate(
  signer: Signer,
  agent: { readonly name: string; readonly publicKey: PublicKey; readonly serial: string },
  now: Date,
): Promise<X509Certificate> {
  return sign(signer, {
    publicKey: agent.publicKey,
    subject: agent.name,
    names: [{ type: 'url', value: AGENT_URI + agent.name }],
    usage: ExtendedKeyUsage.clientAuth,
    serial: agent.serial,
    ...validity(now, AGENT_MS),
  });
}

/** The agent named by a verified peer certificate's `subjectaltname` as node:tls writes it, or null. */
export function agentNameOf(subjectAlternativeName: string | undefined): string | null {
  const [, name] =
    /^URI:fraisier:\/\/agent\/([a-z0-9][a-z0-9-]{0,62})$/.exec(subjectAlternativeName ?? '') ?? [];
  return name ?? null;
}

function validity(now: Date, lengthMs: number): { notBefore: Date; notAfter: Date } {
  return { notBefore: new Date(now.getTime() - BACKDATED_MS), notAfter: new Date(now.getTime() + lengthMs) };
}

interface Leaf {
  readonly publicKey: webcrypto.CryptoKey | PublicKey;
  readonly subject: string;
  readonly names: JsonGeneralNames;
  readonly usage: ExtendedKeyUsage;
  readonly serial: string;
  readonly notBefore: Date;
  readonly notAfter: Date;
}

async function sign(signer: Signer, leaf: Leaf): Promise<X509Certificate> {
  return X509CertificateGenerator.create({
    serialNumber: leaf.serial,
    issuer: signer.certificate.subjectName,
    subject: [{ CN: [leaf.subject] }],
    notBefore: leaf.notBefore,
    notAfter: leaf.notAfter,
    publicKey: leaf.publicKey,
    signingKey: signer.key,
    signingAlgorithm: EC_P256,
    extensions: [
      new BasicConstraintsExtension(false, undefined, true),
      new KeyUsagesExtension(KeyUsageFlags.digitalSignature, true),
      new ExtendedKeyUsageExtension([leaf.usage]),
      new SubjectAlternativeNameExtension(leaf.names),
      await SubjectKeyIdentifierExtension.create(leaf.publicKey),
      await AuthorityKeyIdentifierExtension.create(signer.certificate.publicKey),
    ],
  });
}
