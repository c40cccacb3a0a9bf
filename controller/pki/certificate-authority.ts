import 'reflect-metadata';
import { createHash, webcrypto } from 'node:crypto';
import { PemConverter, Pkcs10CertificateRequest, X509Certificate } from '@peculiar/x509';
import { FraisierError } from '../../proto/error-codes.js';
import { authorityFingerprint } from '../../proto/tokens.js';
import {
  agentCertificate,
  EC_P256,
  makeAuthority,
  newSerial,
  serverCertificate,
  type Signer,
} from './certificates.js';
import { ensureKeyFile, readKeyFile, seal, unseal } from './key-file.js';

/** Where the one authority of all controllers is kept; its key is sealed before it gets here. */
export interface AuthorityStore {
  load(): Promise<StoredAuthority | null>;
  /** Stores this one unless there is one; returns the one that is stored (of two at once, the first). */
  storeOnce(authority: StoredAuthority): Promise<StoredAuthority>;
}

export interface StoredAuthority {
  readonly certificatePem: string;
  readonly sealedKey: Uint8Array;
}

export interface Identity {
  readonly privateKeyPem: string;
  /** Leaf, then the authority: who connects for the first time must see both. */
  readonly chainPem: string;
  readonly expiresAt: Date;
}

export interface IssuedCertificate {
  readonly certificatePem: string;
  readonly serial: string;
  readonly expiresAt: Date;
}

/** A signing request that proved possession of its key; its subject is ignored. */
export interface SigningRequest {
  readonly request: Pkcs10CertificateRequest;
  /** SHA-256 of the public key (SPKI, DER), hex. */
  readonly publicKeyHash: string;
}

/** Signs for controllers and agents. */
export interface CertificateAuthority {
  readonly certificatePem: string;
  /** As tokens carry it. */
  readonly fingerprint: string;
  /** A new key and certificate for these DNS names and IP addresses, for server authentication. */
  issueServer(names: readonly string[], now: Date): Promise<Identity>;
  /** A certificate for an agent of this name, for client authentication. */
  issueAgent(name: string, request: SigningRequest, now: Date): Promise<IssuedCertificate>;
}

/**
 * Opens the authority in `store`, making it first when there is none. Its private key leaves memory only sealed with
 * the key file. Throws FraisierError `invalid_configuration` when the key file is missing or is another authority's.
 */
export async function openAuthority(
  store: AuthorityStore,
  keyFile: string,
  now: Date,
): Promise<CertificateAuthority> {
  const stored = (await store.load()) ?? (await createAuthority(store, keyFile, now));
  const certificate = new X509Certificate(stored.certificatePem);
  const signer = { certificate, key: await unsealKey(stored, keyFile) };
  const certificatePem = `${certificate.toString('pem')}\n`;
  return {
    certificatePem,
    fingerprint: authorityFingerprint(new Uint8Array(certificate.rawData)),
    issueServer: (names, at) => issueServer(signer, names, at),
    issueAgent: (name, request, at) => issueAgent(signer, name, request, at),
  };
}

/** Reads a PKCS#10 request (PEM, EC P-256) and checks its signature. Throws FraisierError `protocol_violation`. */
export async function readSigningRequest(pem: string): Promise<SigningRequest> {
  const request = parseRequest(pem);
  const { name, namedCurve } = request.publicKey.algorithm as { name: string; namedCurve?: string };
  if (name !== 'ECDSA' || namedCurve !== 'P-256') throw badRequest('its key is not EC P-256');
  const verified = await request.verify().catch(() => false);
  if (!verified) throw badRequest('its signature is not of its key');
  const publicKeyHash = createHash('sha256').update(new Uint8Array(request.publicKey.rawData)).digest('hex');
  return { request, publicKeyHash };
}

async function createAuthority(store: AuthorityStore, keyFile: string, now: Date): Promise<StoredAuthority> {
  const sealingKey = await ensureKeyFile(keyFile);
  const { certificate, keys } = await makeAuthority(now);
  const privateKey = new Uint8Array(await webcrypto.subtle.exportKey('pkcs8', keys.privateKey));
  return store.storeOnce({
    certificatePem: certificate.toString('pem'),
    sealedKey: seal(sealingKey, privateKey),
  });
}

async function unsealKey(stored: StoredAuthority, keyFile: string): Promise<webcrypto.CryptoKey> {
  const sealingKey = await readKeyFile(keyFile);
  if (sealingKey === null) throw wrongKeyFile(`there is no key file ${keyFile}, and`);
  const privateKey = unsealed(sealingKey, stored, keyFile);
  return webcrypto.subtle.importKey('pkcs8', privateKey, EC_P256, false, ['sign']);
}

function unsealed(sealingKey: Buffer, stored: StoredAuthority, keyFile: string): Buffer {
  try {
    return unseal(sealingKey, stored.sealedKey);
  } catch (error) {
    throw wrongKeyFile(`${keyFile} is the wrong key file:`, error);
  }
}

function wrongKeyFile(what: string, cause?: unknown): FraisierError {
  return new FraisierError(
    'invalid_configuration',
    `${what} the certificate authority in this database was sealed with another one`,
    {
      hint: "copy the first controller's key file here, or name it with --key-file or FRAISIER_KEY_FILE",
      cause,
    },
  );
}

async function issueServer(signer: Signer, names: readonly string[], now: Date): Promise<Identity> {
  const keys = await webcrypto.subtle.generateKey(EC_P256, true, ['sign', 'verify']);
  const certificate = await serverCertificate(signer, keys.publicKey, names, now);
  return {
    privateKeyPem: PemConverter.encode(
      await webcrypto.subtle.exportKey('pkcs8', keys.privateKey),
      'PRIVATE KEY',
    ),
    chainPem: `${certificate.toString('pem')}\n${signer.certificate.toString('pem')}\n`,
    expiresAt: certificate.notAfter,
  };
}

async function issueAgent(
  signer: Signer,
  name: string,
  request: SigningRequest,
  now: Date,
): Promise<IssuedCertificate> {
  const serial = newSerial();
  const certificate = await agentCertificate(
    signer,
    { name, publicKey: request.request.publicKey, serial },
    now,
  );
  return { certificatePem: `${certificate.toString('pem')}\n`, serial, expiresAt: certificate.notAfter };
}

function parseRequest(pem: string): Pkcs10CertificateRequest {
  if (pem.length > 8192) throw badRequest('it is longer than 8 KiB');
  try {
    return new Pkcs10CertificateRequest(pem);
  } catch (error) {
    throw badRequest('it is no PKCS#10 in PEM', error);
  }
}

function badRequest(why: string, cause?: unknown): FraisierError {
  return new FraisierError('protocol_violation', `the certificate signing request is refused: ${why}`, {
    cause,
  });
}
