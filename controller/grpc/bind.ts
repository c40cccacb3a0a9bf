import {
  logVerbosity,
  Server,
  setLogVerbosity,
  type ChannelOptions,
  type ServerCredentials,
} from '@grpc/grpc-js';
import { formatAddress, parseAddress } from '../../proto/address.js';
import { FraisierError } from '../../proto/error-codes.js';

/** The largest message anybody may send us. */
export const LARGEST_MESSAGE = 4 * 1024 * 1024;

/** A server that notices dead links within half a minute and refuses messages beyond 4 MiB. */
export function newServer(more: ChannelOptions = {}): Server {
  // grpc-js would print to standard error what we report ourselves.
  setLogVerbosity(logVerbosity.NONE);
  return new Server({
    'grpc.keepalive_time_ms': 20_000,
    'grpc.keepalive_timeout_ms': 10_000,
    'grpc.max_receive_message_length': LARGEST_MESSAGE,
    ...more,
  });
}

/**
 * Listens on `HOST:PORT` (0: any free port) and returns it with the port that was taken. Throws FraisierError
 * `invalid_configuration`, naming the flag that would choose another one.
 */
export async function bindPort(
  server: Server,
  { address, flag }: { readonly address: string; readonly flag: string },
  credentials: ServerCredentials,
): Promise<string> {
  const wanted = parseAddress(address, 0);
  const port = await bind(server, formatAddress(wanted), credentials).catch((error: Error) => {
    throw cannotListen(address, flag, error);
  });
  return formatAddress({ host: wanted.host, port });
}

/** Listens on a unix socket; whoever may write to it gets in. */
export async function bindSocket(
  server: Server,
  path: string,
  credentials: ServerCredentials,
): Promise<void> {
  await bind(server, `unix:${path}`, credentials).catch((error: Error) => {
    throw cannotListen(path, '--socket', error);
  });
}

function bind(server: Server, address: string, credentials: ServerCredentials): Promise<number> {
  return new Promise((resolve, reject) => {
    server.bindAsync(address, credentials, (error, port) => (error === null ? resolve(port) : reject(error)));
  });
}

const CAUSES: Readonly<Record<string, string>> = {
  EADDRINUSE: 'another program listens there',
  EADDRNOTAVAIL: 'this machine has no such address',
  EACCES: 'this user may not listen there',
  ENOTFOUND: 'the name is not known',
};

function cannotListen(address: string, flag: string, error: Error): FraisierError {
  const code = Object.keys(CAUSES).find((known) => error.message.includes(known));
  const why = code === undefined ? error.message : CAUSES[code];
  return new FraisierError('invalid_configuration', `cannot listen on ${address}: ${why}`, {
    hint: `choose another one with ${flag}`,
    cause: error,
  });
}
