import { webcrypto } from 'node:crypto';
import 'reflect-metadata';
import {
  PemConverter,
  Pkcs10CertificateRequest,
  X509CertificateGenerator,
  type X509Certificate,
} from '@peculiar/x509';
import { EC_P256, makeAuthority, serverCertificate } from '../../controller/pki/certificates.js';
import type { Identity } from '../../agent/identity.js';
import { newKey, signingRequest } from '../../agent/signing-request.js';
import { authorityFingerprint } from '../../proto/tokens.js';

/** A certificate authority of the test's own. */
export interface TestAuthority {
  readonly pem: string;
  readonly fingerprint: string;
  /** For a server on the loopback. */
  server(): Promise<{ keyPem: string; chainPem: string }>;
  /** Answers a signing request; lifetime counted from now, by default a day either way. */
  sign(csrPem: string, life?: { fromMs: number; toMs: number }): Promise<string>;
  identity(life?: { fromMs: number; toMs: number }): Promise<Identity>;
}

const DAY = { fromMs: -86_400_000, toMs: 86_400_000 };

export async function aTestAuthority(): Promise<TestAuthority> {
  const { certificate, keys } = await makeAuthority(new Date());
  const signer = { certificate, key: keys.privateKey };
  const pem = certificate.toString('pem');
  const sign: TestAuthority['sign'] = async (csrPem, life = DAY) => {
    const { publicKey } = new Pkcs10CertificateRequest(csrPem);
    const made: X509Certificate = await X509CertificateGenerator.create({
      subject: 'CN=web-1',
      issuer: certificate.subject,
      notBefore: new Date(Date.now() + life.fromMs),
      notAfter: new Date(Date.now() + life.toMs),
      publicKey,
      signingKey: keys.privateKey,
      signingAlgorithm: EC_P256,
    });
    return made.toString('pem');
  };
  return {
    pem,
    fingerprint: authorityFingerprint(new Uint8Array(certificate.rawData)),
    sign,
    server: async () => {
      const own = await webcrypto.subtle.generateKey(EC_P256, true, ['sign', 'verify']);
      const made = await serverCertificate(signer, own.publicKey, ['127.0.0.1', 'localhost'], new Date());
      const keyPem = PemConverter.encode(
        await webcrypto.subtle.exportKey('pkcs8', own.privateKey),
        'PRIVATE KEY',
      );
      return { keyPem, chainPem: `${made.toString('pem')}\n${pem}` };
    },
    identity: async (life) => {
      const keyPem = await newKey();
      return { keyPem, certificatePem: await sign(await signingRequest(keyPem), life), authorityPem: pem };
    },
  };
}
