import { isIP } from 'node:net';
import { checkServerIdentity, type PeerCertificate } from 'node:tls';
import { credentials, type ChannelCredentials } from '@grpc/grpc-js';
import { parseAddress } from '../proto/address.js';
import type { Identity } from './identity.js';

/** Sent instead of an IP address, which is no server name (RFC 6066). */
const NAME_FOR_IP = 'fraisier';

/**
 * TLS to one controller, whose certificate must be signed by the authority and carry the name or IP address dialled.
 * With key and certificate: mutual TLS. Each channel has a connection of its own, which ends with it.
 */
export function secureChannel(
  address: string,
  { authorityPem, keyPem, certificatePem }: Pick<Identity, 'authorityPem'> & Partial<Identity>,
): { readonly secure: ChannelCredentials; readonly options: Record<string, string | number> } {
  const { host } = parseAddress(address, 0);
  const pem = (text: string | undefined): Buffer | null => (text === undefined ? null : Buffer.from(text));
  const verify = {
    checkServerIdentity: (_: string, peer: PeerCertificate) => checkServerIdentity(host, peer),
  };
  return {
    secure: credentials.createSsl(pem(authorityPem), pem(keyPem), pem(certificatePem), verify),
    options: {
      'grpc.use_local_subchannel_pool': 1,
      'grpc.enable_retries': 0,
      ...(isIP(host) !== 0 && { 'grpc.ssl_target_name_override': NAME_FOR_IP }),
    },
  };
}
