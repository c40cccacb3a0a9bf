import { ServerCredentials } from '@grpc/grpc-js';
import type { TestAuthority } from './authority.js';

/** Mutual TLS for a server on the loopback. */
export async function tlsOf(authority: TestAuthority): Promise<ServerCredentials> {
  const { keyPem, chainPem } = await authority.server();
  const pair = { private_key: Buffer.from(keyPem), cert_chain: Buffer.from(chainPem) };
  return ServerCredentials.createSsl(Buffer.from(authority.pem), [pair], true);
}
