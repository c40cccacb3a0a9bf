import { expect } from 'chai';
import { pino } from 'pino';
import { connect } from 'node:tls';
import { once } from 'node:events';
import { bindPort, newServer } from '../../../controller/grpc/bind.js';
import { openServerIdentity } from '../../../controller/grpc/server-identity.js';
import { until } from '../../support/until.js';
import { anAuthority } from '../pki/support.js';

const DAY_MS = 24 * 60 * 60 * 1000;

/** The serial number of the certificate a new connection is shown. */
async function serialAt(address: string, ca: string): Promise<string> {
  const [host, port] = address.split(':');
  const socket = connect({ host, port: Number(port), servername: 'localhost', ca, ALPNProtocols: ['h2'] });
  try {
    await once(socket, 'secureConnect');
    return socket.getPeerCertificate().serialNumber;
  } finally {
    socket.destroy();
  }
}

describe('a controller’s certificate', () => {
  it('is renewed while it runs when half of its time is over, and shown to new connections', async () => {
    const authority = await anAuthority();
    // Long ago, so that the renewed one is valid by the real clock too.
    let clock = Date.now() - 16 * DAY_MS;
    let look: () => void = () => undefined;
    const lines: string[] = [];
    const logger = pino({ level: 'info' }, { write: (line: string) => void lines.push(line) });
    const after = (_ms: number, act: () => void) => ((look = act), () => undefined);
    const identity = await openServerIdentity({
      authority,
      names: ['localhost'],
      after,
      now: () => new Date(clock),
      logger,
    });
    const server = newServer();
    const address = await bindPort(server, { address: '127.0.0.1:0', flag: '--grpc' }, identity.forCallers);
    try {
      const first = await serialAt(address, authority.certificatePem);
      clock += 14 * DAY_MS;
      look();
      expect(await serialAt(address, authority.certificatePem)).to.equal(first);
      clock += 2 * DAY_MS;
      look();
      await until(
        'another certificate',
        async () => (await serialAt(address, authority.certificatePem)) !== first,
      );
      expect(lines.join('')).to.contain('server certificate renewed');
    } finally {
      server.forceShutdown();
      identity.close();
    }
  });

  it('stays as it is when it cannot be renewed, which is logged', async () => {
    const authority = await anAuthority();
    const failing = { ...authority };
    let look: () => void = () => undefined;
    let clock = Date.now();
    const lines: string[] = [];
    const logger = pino({ level: 'info' }, { write: (line: string) => void lines.push(line) });
    const after = (_ms: number, act: () => void) => ((look = act), () => undefined);
    const identity = await openServerIdentity({
      authority: failing,
      names: ['localhost'],
      after,
      now: () => new Date(clock),
      logger,
    });
    failing.issueServer = () => Promise.reject(new Error('no more keys'));
    clock += 20 * DAY_MS;
    look();
    await until('the log line', () => lines.join('').includes('no more keys'));
    identity.close();
  });
});
