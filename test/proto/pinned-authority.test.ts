import { expect } from 'chai';
import { once } from 'node:events';
import { createServer as createTcpServer, type AddressInfo, type Server } from 'node:net';
import { createServer } from 'node:tls';
import { fetchPinnedAuthority } from '../../proto/pinned-authority.js';
import { refused } from '../support/refused.js';
import { anAuthority } from '../controller/pki/support.js';

async function listening<T>(server: Server, work: (address: string) => Promise<T>): Promise<T> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  try {
    return await work(`127.0.0.1:${(server.address() as AddressInfo).port}`);
  } finally {
    server.close();
  }
}

describe('fetchPinnedAuthority', () => {
  it('returns the certificate of the authority whose fingerprint it was given, and sends nothing', async () => {
    const authority = await anAuthority();
    const identity = await authority.issueServer(['localhost'], new Date());
    const received: Buffer[] = [];
    const server = createServer({ key: identity.privateKeyPem, cert: identity.chainPem }, (socket) => {
      socket.on('data', (data: Buffer) => received.push(data));
      socket.on('error', () => undefined);
    });
    await listening(server, async (address) => {
      const { authorityPem } = await fetchPinnedAuthority(address, authority.fingerprint);
      expect(authorityPem.trim()).to.equal(authority.certificatePem.trim());
    });
    expect(received).to.deep.equal([]);
  });

  it('refuses a controller of another authority', async () => {
    const [ours, theirs] = [await anAuthority(), await anAuthority()];
    const identity = await theirs.issueServer(['localhost'], new Date());
    const server = createServer({ key: identity.privateKeyPem, cert: identity.chainPem });
    await listening(server, async (address) => {
      const error = await refused(fetchPinnedAuthority(address, ours.fingerprint));
      expect(error.code).to.equal('controller_untrusted');
      expect(error.message).to.contain(address);
    });
  });

  it('refuses a stranger that shows our authority beside a certificate of its own', async () => {
    const [ours, theirs] = [await anAuthority(), await anAuthority()];
    const identity = await theirs.issueServer(['localhost'], new Date());
    const leaf = identity.chainPem.slice(0, identity.chainPem.indexOf('-----END CERTIFICATE-----') + 26);
    const server = createServer({ key: identity.privateKeyPem, cert: leaf + ours.certificatePem });
    await listening(server, async (address) => {
      const error = await refused(fetchPinnedAuthority(address, ours.fingerprint));
      expect(error.code).to.equal('controller_untrusted');
    });
  });

  it('says when what answers does not speak TLS', async () => {
    const server = createTcpServer((socket) => {
      socket.on('error', () => undefined);
      socket.end('HTTP/1.1 400 Bad Request\r\n\r\n');
    });
    await listening(server, async (address) => {
      const error = await refused(fetchPinnedAuthority(address, 'x'.repeat(43)));
      expect(error.code).to.equal('controller_untrusted');
      expect(error.message).to.contain('does not speak TLS');
    });
  });

  it('says that the controller is away when nobody listens, or the connection closes', async () => {
    const closing = createTcpServer((socket) => socket.destroy());
    const address = await listening(closing, async (there) => {
      expect((await refused(fetchPinnedAuthority(there, 'x'))).code).to.equal('controller_away');
      return there;
    });
    expect((await refused(fetchPinnedAuthority(address, 'x'))).code).to.equal('controller_away');
  });

  it('gives up on somebody who accepts and says nothing', async () => {
    const open: { destroy(): void }[] = [];
    const silent = createTcpServer((socket) => open.push(socket.on('error', () => undefined)));
    await listening(silent, async (address) => {
      const error = await refused(fetchPinnedAuthority(address, 'x', 50));
      expect(error.code).to.equal('controller_away');
      expect(error.message).to.contain('no answer within');
    });
    for (const socket of open) socket.destroy();
  });
});
