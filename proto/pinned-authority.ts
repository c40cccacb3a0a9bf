import type { X509Certificate } from 'node:crypto';
import { isIP } from 'node:net';
import { connect, type TLSSocket } from 'node:tls';
import { parseAddress } from './address.js';
import { FraisierError } from './error-codes.js';
import { authorityFingerprint } from './tokens.js';

const DEFAULT_PORT = 9090;
const PATIENCE_MS = 10_000;

/**
 * Reads the authority's certificate (PEM) from a controller nobody vouches for yet, to be used as the only root
 * from then on. Nothing is sent beyond the TLS handshake, so no token is ever shown to a stranger.
 *
 * `address` is `HOST[:PORT]`, `fingerprint` the one a token carries. Guarantee: the certificate has that fingerprint,
 * and whoever answered holds a key that it signed. Names and dates are left to the verified connection that follows.
 * Throws FraisierError `controller_untrusted`, or `controller_away` when nobody answers within 10 s.
 */
export async function fetchPinnedAuthority(
  address: string,
  fingerprint: string,
  patienceMs: number = PATIENCE_MS,
): Promise<{ authorityPem: string }> {
  const leaf = await presentedCertificate(address, patienceMs);
  const authority = chainOf(leaf).find(
    (certificate) => authorityFingerprint(certificate.raw) === fingerprint,
  );
  if (authority === undefined || !signed(authority, leaf)) throw stranger(address);
  return { authorityPem: authority.toString() };
}

function presentedCertificate(address: string, patienceMs: number): Promise<X509Certificate> {
  const { host, port } = parseAddress(address, DEFAULT_PORT);
  const socket = connect({
    host,
    port,
    rejectUnauthorized: false,
    ALPNProtocols: ['h2'],
    ...(isIP(host) === 0 && { servername: host }),
  });
  return new Promise<X509Certificate>((resolve, reject) => {
    const timer = setTimeout(
      () => reject(away(address, `no answer within ${patienceMs / 1000} s`)),
      patienceMs,
    );
    socket.once('close', () => {
      clearTimeout(timer);
      reject(away(address, 'the connection was closed'));
    });
    socket.once('error', (error: NodeJS.ErrnoException) => reject(failedHandshake(address, error)));
    socket.once('secureConnect', () => settle(socket, address, resolve, reject));
  }).finally(() => socket.destroy());
}

function settle(
  socket: TLSSocket,
  address: string,
  resolve: (certificate: X509Certificate) => void,
  reject: (error: FraisierError) => void,
): void {
  const certificate = socket.getPeerX509Certificate();
  if (certificate === undefined) reject(stranger(address));
  else resolve(certificate);
}

function chainOf(leaf: X509Certificate): readonly X509Certificate[] {
  const chain = [leaf];
  let issuer = leaf.issuerCertificate;
  while (issuer !== undefined && !chain.some((known) => known.raw.equals((issuer as X509Certificate).raw))) {
    chain.push(issuer);
    issuer = issuer.issuerCertificate;
  }
  return chain;
}

function signed(authority: X509Certificate, leaf: X509Certificate): boolean {
  return (
    authority.ca &&
    !leaf.raw.equals(authority.raw) &&
    leaf.checkIssued(authority) &&
    leaf.verify(authority.publicKey)
  );
}

function failedHandshake(address: string, error: NodeJS.ErrnoException): FraisierError {
  const spokeSomethingElse = error.code?.startsWith('ERR_SSL') ?? false;
  if (!spokeSomethingElse) return away(address, error.message, error);
  return new FraisierError(
    'controller_untrusted',
    `what answers at ${address} does not speak TLS as a controller does`,
    {
      hint: 'check the address: enrolment and the command line use the gRPC port, 9090 by default',
      cause: error,
    },
  );
}

function away(address: string, why: string, cause?: Error): FraisierError {
  return new FraisierError('controller_away', `no controller answers at ${address}: ${why}`, {
    hint: 'check the address, and that the controller runs and its port is reachable from here',
    cause,
  });
}

function stranger(address: string): FraisierError {
  return new FraisierError(
    'controller_untrusted',
    `the controller at ${address} is not the one this token is for: its certificate authority has another fingerprint`,
    { hint: 'check the address, or ask for a new token; nothing was sent' },
  );
}
