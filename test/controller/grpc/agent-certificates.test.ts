import { status as GrpcStatus } from '@grpc/grpc-js';
import { expect } from 'chai';
import { readSigningRequest } from '../../../controller/pki/certificate-authority.js';
import { until } from '../../support/until.js';
import { anAuthority, aSelfSignedCertificate, aSigningRequest } from '../pki/support.js';
import { withGateway, type Credentials, type GatewayLab } from './gateway-lab.js';

const WEEK_MS = 7 * 24 * 60 * 60 * 1000;

const refused: [string, (lab: GatewayLab) => Promise<Credentials | null>][] = [
  ['no certificate', () => Promise.resolve(null)],
  ['an expired one', (lab) => lab.enrol('web-1', new Date(Date.now() - WEEK_MS - 1000))],
  ['one that is not valid yet', (lab) => lab.enrol('web-1', new Date(Date.now() + 2 * 60 * 60 * 1000))],
  ['one of another authority', async () => issuedBy(await anAuthority())],
  ['one that is self-signed', () => aSelfSignedCertificate('fraisier://agent/web-1')],
  ['a controller’s', async ({ authority }) => controllerIdentity(authority)],
];

describe('the agents’ port, for a peer with (row 4)', () => {
  for (const [title, credentials] of refused) {
    it(`${title}: lets nothing through`, () =>
      withGateway(async (lab) => {
        await lab.enrol('web-1');
        const agent = lab.greet(await credentials(lab));
        await until('the stream to fail', () => agent.error);
        expect(agent.error?.code).to.equal(GrpcStatus.UNAVAILABLE);
        expect(agent.told).to.deep.equal([]);
        expect((await lab.ledger.agent('web-1'))?.lastSeenAt).to.equal(null);
      }));
  }

  it('another host’s: lets it act as that host only', () =>
    withGateway(async (lab) => {
      await lab.enrol('web-1');
      const agent = lab.greet(await lab.enrol('web-2'));
      expect((await agent.hear('welcome')).agentName).to.equal('web-2');
      expect((await lab.ledger.agent('web-1'))?.epoch).to.equal(0);
    }));
});

async function issuedBy(authority: Awaited<ReturnType<typeof anAuthority>>): Promise<Credentials> {
  const { csrPem, privateKeyPem } = await aSigningRequest();
  const { certificatePem } = await authority.issueAgent(
    'web-1',
    await readSigningRequest(csrPem),
    new Date(),
  );
  return { certificatePem, privateKeyPem };
}

async function controllerIdentity(authority: Awaited<ReturnType<typeof anAuthority>>): Promise<Credentials> {
  const { chainPem, privateKeyPem } = await authority.issueServer(['web-1'], new Date());
  return { certificatePem: chainPem, privateKeyPem };
}
