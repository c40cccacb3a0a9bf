import 'reflect-metadata';
import { webcrypto } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  PemConverter,
  Pkcs10CertificateRequestGenerator,
  SubjectAlternativeNameExtension,
  X509CertificateGenerator,
} from '@peculiar/x509';
import {
  openAuthority,
  type AuthorityStore,
  type CertificateAuthority,
  type StoredAuthority,
} from '../../../controller/pki/certificate-authority.js';

/** An authority store in memory; `stored()` is what is in it. */
export function memoryAuthorityStore(): AuthorityStore & { stored(): StoredAuthority | null } {
  let kept: StoredAuthority | null = null;
  return {
    stored: () => kept,
    load: () => Promise.resolve(kept),
    storeOnce: (authority) => Promise.resolve((kept ??= authority)),
  };
}

/** Calls `work` with a folder of its own and removes it afterwards. */
export async function withFolder<T>(work: (folder: string) => Promise<T>): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), 'fraisier-'));
  try {
    return await work(folder);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** A fresh authority with a key file of its own. */
export function anAuthority(): Promise<CertificateAuthority> {
  return withFolder((folder) => openAuthority(memoryAuthorityStore(), join(folder, 'key'), new Date()));
}

export interface KeyAndRequest {
  readonly privateKeyPem: string;
  readonly csrPem: string;
  readonly keys: webcrypto.CryptoKeyPair;
}

/** A new key of an agent, and its signing request. */
export async function aSigningRequest(
  algorithm: { name: string; namedCurve?: string; hash?: string } = {
    name: 'ECDSA',
    namedCurve: 'P-256',
    hash: 'SHA-256',
  },
): Promise<KeyAndRequest> {
  const keys = (await webcrypto.subtle.generateKey(algorithm as webcrypto.EcKeyGenParams, true, [
    'sign',
    'verify',
  ])) as webcrypto.CryptoKeyPair;
  const request = await Pkcs10CertificateRequestGenerator.create({
    name: [{ CN: ['anything'] }],
    keys,
    signingAlgorithm: algorithm as webcrypto.Algorithm,
  });
  const pkcs8 = await webcrypto.subtle.exportKey('pkcs8', keys.privateKey);
  return { keys, csrPem: request.toString('pem'), privateKeyPem: PemConverter.encode(pkcs8, 'PRIVATE KEY') };
}

/** A certificate for this URI that nobody but itself vouches for. */
export async function aSelfSignedCertificate(
  uri: string,
): Promise<{ certificatePem: string; privateKeyPem: string }> {
  const { keys, privateKeyPem } = await aSigningRequest();
  const certificate = await X509CertificateGenerator.createSelfSigned({
    name: [{ CN: ['self'] }],
    keys,
    signingAlgorithm: { name: 'ECDSA', hash: 'SHA-256' } as webcrypto.EcdsaParams,
    extensions: [new SubjectAlternativeNameExtension([{ type: 'url', value: uri }])],
  });
  return { certificatePem: certificate.toString('pem'), privateKeyPem };
}
