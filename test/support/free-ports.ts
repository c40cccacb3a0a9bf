import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';

/**
 * `count` loopback ports nobody listens on, all different. For programs that must have the same port again after a
 * restart; another process can take one in between, so servers that need not restart listen on port 0 instead.
 */
export async function freePorts(count: number): Promise<readonly number[]> {
  const servers = Array.from({ length: count }, () => createServer().listen(0, '127.0.0.1'));
  await Promise.all(servers.map((server) => once(server, 'listening')));
  const ports = servers.map((server) => (server.address() as AddressInfo).port);
  await Promise.all(servers.map((server) => new Promise((closed) => server.close(closed))));
  return ports;
}
