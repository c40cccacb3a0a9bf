import { webcrypto } from 'node:crypto';

const ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const;

/** A new EC P-256 key, PKCS#8, PEM. */
export async function newKey(): Promise<string> {
  const { PemConverter } = await x509();
  const { privateKey } = await webcrypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify']);
  return PemConverter.encode(await webcrypto.subtle.exportKey('pkcs8', privateKey), 'PRIVATE KEY');
}

/** PKCS#10, PEM, for a key of `newKey`. The subject says nothing: name and labels are the controller's to give. */
export async function signingRequest(keyPem: string): Promise<string> {
  const { Pkcs10CertificateRequestGenerator } = await x509();
  const keys = await keyPair(keyPem);
  const request = await Pkcs10CertificateRequestGenerator.create({
    name: 'CN=agent',
    keys,
    signingAlgorithm: ALGORITHM,
  });
  return request.toString('pem');
}

async function keyPair(keyPem: string): Promise<webcrypto.CryptoKeyPair> {
  const { PemConverter } = await x509();
  const [bytes] = PemConverter.decode(keyPem);
  const { subtle } = webcrypto;
  const privateKey = await subtle.importKey('pkcs8', bytes as ArrayBuffer, ALGORITHM, true, ['sign']);
  const { kty, crv, x, y } = await subtle.exportKey('jwk', privateKey);
  const publicKey = await subtle.importKey(
    'jwk',
    { kty, crv, x, y } as webcrypto.JsonWebKey,
    ALGORITHM,
    true,
    ['verify'],
  );
  return { privateKey, publicKey };
}

/** Loaded when needed: most starts of the agent make no key. The first import is a condition of the second. */
async function x509() {
  await import('reflect-metadata');
  return import('@peculiar/x509');
}
