import { expect } from 'chai';
import { X509Certificate, randomBytes } from 'node:crypto';
import { createJoinToken } from '../../../controller/pki/create-join-token.js';
import { enrolAgent } from '../../../controller/pki/enrol-agent.js';
import { revokeAgent } from '../../../controller/pki/revoke-agent.js';
import { agentNameOf } from '../../../controller/pki/certificates.js';
import type { CertificateAuthority } from '../../../controller/pki/certificate-authority.js';
import type { ErrorCode } from '../../../proto/error-codes.js';
import { PROTOCOL_VERSION } from '../../../proto/protocol-version.js';
import { authorityFingerprint, newToken } from '../../../proto/tokens.js';
import { refused } from '../../support/refused.js';
import { memoryLedger, type MemoryLedger } from '../../support/memory-ledger.js';
import { anAuthority, aSigningRequest } from './support.js';

const ADMIN = { name: 'alice', role: 'admin' } as const;

interface Lab extends MemoryLedger {
  readonly authority: CertificateAuthority;
  pass(ms: number): void;
  token(labels?: Record<string, string>): Promise<string>;
  enrol(token: string, csrPem: string, protocolVersion?: number): ReturnType<typeof enrolAgent>;
}

let authority: CertificateAuthority;
before(async () => {
  authority = await anAuthority();
});

function aLab(): Lab {
  let clock = Date.now();
  const memory = memoryLedger(() => new Date(clock));
  const edges = { ledger: memory.ledger, fingerprint: authority.fingerprint, randomBytes };
  return {
    ...memory,
    authority,
    pass: (ms) => (clock += ms),
    token: async (labels = {}) => {
      const request = { name: 'web-1', labels, ttlMs: 0, controller: 'c.example:9090' };
      return (await createJoinToken(edges, request, ADMIN)).token;
    },
    enrol: (token, csrPem, protocolVersion = PROTOCOL_VERSION) =>
      enrolAgent(
        { ledger: memory.ledger, authority },
        { token, csrPem, protocolVersion, agentVersion: '0.1.0' },
      ),
  };
}

async function refusal(work: Promise<unknown>): Promise<ErrorCode> {
  return (await refused(work)).code as ErrorCode;
}

describe('enrolling an agent (row 4)', () => {
  it('gives name and labels of the token, whatever the request says, and audits it', async () => {
    const lab = aLab();
    const { csrPem } = await aSigningRequest();
    const enrolled = await lab.enrol(await lab.token({ role: 'web' }), csrPem);
    expect(enrolled).to.include({ name: 'web-1' });
    expect(enrolled.labels).to.deep.equal({ role: 'web' });
    expect(agentNameOf(new X509Certificate(enrolled.certificatePem).subjectAltName)).to.equal('web-1');
    expect(await lab.ledger.agent('web-1')).to.deep.include({
      name: 'web-1',
      labels: { role: 'web' },
      revokedAt: null,
    });
    expect(lab.state().audit.map(({ actor, action }) => [actor, action])).to.deep.equal([
      ['alice', 'join_token_created'],
      ['agent:web-1', 'agent_enrolled'],
    ]);
  });

  it('answers the same key again when the answer was lost', async () => {
    const lab = aLab();
    const [token, { csrPem }] = [await lab.token(), await aSigningRequest()];
    const first = await lab.enrol(token, csrPem);
    lab.pass(60_000);
    const again = await lab.enrol(` ${token}\n`, csrPem);
    expect(again.name).to.equal('web-1');
    expect(again.certificatePem).not.to.equal(first.certificatePem);
  });

  it('refuses another key, and audits that', async () => {
    const lab = aLab();
    const token = await lab.token();
    await lab.enrol(token, (await aSigningRequest()).csrPem);
    expect(await refusal(lab.enrol(token, (await aSigningRequest()).csrPem))).to.equal('token_used');
    expect(lab.state().audit.at(-1)).to.deep.include({ actor: 'agent:web-1', action: 'enrolment_refused' });
    expect(lab.state().audit.at(-1)?.facts).to.include({ code: 'token_used', token_by: 'alice' });
  });

  it('refuses a token whose time is over, used or not', async () => {
    const lab = aLab();
    const [token, { csrPem }] = [await lab.token(), await aSigningRequest()];
    await lab.enrol(token, csrPem);
    const unused = await lab.token();
    lab.pass(3_600_001);
    expect(await refusal(lab.enrol(unused, csrPem))).to.equal('token_expired');
    expect(await refusal(lab.enrol(token, csrPem))).to.equal('token_expired');
  });

  it('does not let a used token undo a revocation', async () => {
    const lab = aLab();
    const [token, { csrPem }] = [await lab.token(), await aSigningRequest()];
    await lab.enrol(token, csrPem);
    await revokeAgent(lab, 'web-1', ADMIN);
    expect(await refusal(lab.enrol(token, csrPem))).to.equal('agent_revoked');
    expect((await lab.ledger.agent('web-1'))?.revokedAt).not.to.equal(null);
  });

  it('does not let a used token undo a later enrolment', async () => {
    const lab = aLab();
    const [old, { csrPem }] = [await lab.token(), await aSigningRequest()];
    await lab.enrol(old, csrPem);
    lab.pass(60_000);
    await lab.enrol(await lab.token(), (await aSigningRequest()).csrPem);
    expect(await refusal(lab.enrol(old, csrPem))).to.equal('token_used');
  });

  it('lets a revoked agent in again with a new token', async () => {
    const lab = aLab();
    await lab.enrol(await lab.token(), (await aSigningRequest()).csrPem);
    await revokeAgent(lab, 'web-1', ADMIN);
    await lab.enrol(await lab.token({ zone: 'b' }), (await aSigningRequest()).csrPem);
    expect(await lab.ledger.agent('web-1')).to.deep.include({ labels: { zone: 'b' }, revokedAt: null });
  });

  it('refuses tokens that are unknown, of another authority, for the API, or none at all', async () => {
    const lab = aLab();
    const { csrPem } = await aSigningRequest();
    const foreign = authorityFingerprint(Buffer.from('another'));
    const tokens = [
      newToken('join', authority.fingerprint, randomBytes),
      newToken('join', foreign, randomBytes),
      newToken('api', authority.fingerprint, randomBytes),
      'nonsense',
    ];
    for (const token of tokens) expect(await refusal(lab.enrol(token, csrPem))).to.equal('token_invalid');
    expect(lab.state().audit).to.deep.equal([]);
  });

  it('refuses other protocols and bad signing requests without using the token up', async () => {
    const lab = aLab();
    const [token, { csrPem }] = [await lab.token(), await aSigningRequest()];
    expect(await refusal(lab.enrol(token, csrPem, PROTOCOL_VERSION + 1))).to.equal('protocol_mismatch');
    expect(await refusal(lab.enrol(token, 'nonsense'))).to.equal('protocol_violation');
    expect((await lab.enrol(token, csrPem)).name).to.equal('web-1');
  });

  it('enrols once when two keys ask at the same instant', async () => {
    const lab = aLab();
    const token = await lab.token();
    const asked = await Promise.allSettled([
      lab.enrol(token, (await aSigningRequest()).csrPem),
      lab.enrol(token, (await aSigningRequest()).csrPem),
    ]);
    expect(asked.map(({ status }) => status).sort()).to.deep.equal(['fulfilled', 'rejected']);
  });
});

describe('a join token', () => {
  const create = (more: { name?: string; labels?: Record<string, string>; ttlMs?: number }) => {
    const lab = aLab();
    const request = { name: 'web-1', labels: {}, ttlMs: 0, controller: 'c.example:9090', ...more };
    return createJoinToken(
      { ledger: lab.ledger, fingerprint: authority.fingerprint, randomBytes },
      request,
      ADMIN,
    );
  };

  it('lives for an hour unless said otherwise, and comes with the command to paste', async () => {
    const { token, expiresAt, command } = await create({});
    expect(expiresAt.getTime() - Date.now()).to.be.closeTo(3_600_000, 5_000);
    expect(command).to.equal(`FRAISIER_JOIN_TOKEN=${token} fraisier agent --controller c.example:9090`);
    expect((await create({ ttlMs: 60_000 })).expiresAt.getTime() - Date.now()).to.be.closeTo(60_000, 5_000);
  });

  for (const name of ['', 'Web', '-web', 'web_1', 'web.1', 'x'.repeat(64), 'a/b']) {
    it(`is not made for the name "${name}"`, async () =>
      expect(await refusal(create({ name }))).to.equal('usage'));
  }

  for (const name of ['a', '1', 'web-1', 'x'.repeat(63)]) {
    it(`is made for the name "${name}"`, async () =>
      expect(await create({ name })).to.have.property('token'));
  }

  it('is not made with labels that are none, too many of them, or for longer than 30 days', async () => {
    const many = Object.fromEntries(Array.from({ length: 65 }, (_, index) => [`k${index}`, 'v']));
    for (const labels of [{ '': 'x' }, { 'a b': 'x' }, { a: 'line\nbreak' }, { a: 'x'.repeat(256) }, many]) {
      expect(await refusal(create({ labels }))).to.equal('usage');
    }
    expect(await refusal(create({ ttlMs: 31 * 24 * 3_600_000 }))).to.equal('usage');
  });
});

describe('revoking an agent', () => {
  it('is refused for one that is not there', async () => {
    expect(await refusal(revokeAgent(aLab(), 'nobody', ADMIN))).to.equal('unknown_agent');
  });
});
