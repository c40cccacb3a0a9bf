import { webcrypto } from 'node:crypto';
import 'reflect-metadata';
import { createServer } from 'node:http';
import type { RequestListener } from 'node:http';
import { createServer as createSecure } from 'node:https';
import type { AddressInfo, Server } from 'node:net';
import { PemConverter } from '@peculiar/x509';
import { EC_P256, makeAuthority, serverCertificate } from '../../../controller/pki/certificates.js';

/** Listens on a free port of the loopback as long as `use` runs. */
export async function listening<T>(server: Server, use: (port: number) => Promise<T>): Promise<T> {
  await new Promise<void>((done) => void server.listen(0, '127.0.0.1', done));
  try {
    return await use((server.address() as AddressInfo).port);
  } finally {
    await new Promise((done) => server.close(done));
  }
}

/** Answers by `answer`, and gives its URL. */
export function withService<T>(answer: RequestListener, use: (url: string) => Promise<T>): Promise<T> {
  const server = createServer(answer);
  return listening(server, async (port) => {
    try {
      return await use(`http://127.0.0.1:${port}/health`);
    } finally {
      server.closeAllConnections();
    }
  });
}

/** A certificate for `names`, made `now` and good for 30 days, with the authority that signed it. */
export async function aCertificate(
  names: readonly string[],
  now = new Date(),
): Promise<{ readonly key: string; readonly cert: string; readonly ca: string }> {
  const { certificate, keys } = await makeAuthority(now);
  const own = await webcrypto.subtle.generateKey(EC_P256, true, ['sign', 'verify']);
  const made = await serverCertificate({ certificate, key: keys.privateKey }, own.publicKey, names, now);
  const key = PemConverter.encode(await webcrypto.subtle.exportKey('pkcs8', own.privateKey), 'PRIVATE KEY');
  return { key, cert: made.toString('pem'), ca: certificate.toString('pem') };
}

/** The same over TLS. */
export function withSecureService<T>(
  { key, cert }: { readonly key: string; readonly cert: string },
  answer: RequestListener,
  use: (url: string) => Promise<T>,
): Promise<T> {
  const server = createSecure({ key, cert }, answer);
  return listening(server, async (port) => {
    try {
      return await use(`https://127.0.0.1:${port}/health`);
    } finally {
      server.closeAllConnections();
    }
  });
}

/** A port of the loopback that nobody listens on. */
export async function aFreePort(): Promise<number> {
  const server = createServer();
  return listening(server, async (port) => port);
}
