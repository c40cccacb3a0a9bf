import { expect } from 'chai';
import { X509Certificate, createPrivateKey } from 'node:crypto';
import { chmod, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { openAuthority, readSigningRequest } from '../../../controller/pki/certificate-authority.js';
import { agentNameOf } from '../../../controller/pki/certificates.js';
import { ensureKeyFile, readKeyFile, seal, unseal } from '../../../controller/pki/key-file.js';
import { authorityStore } from '../../../controller/db/authority.js';
import { authorityFingerprint } from '../../../proto/tokens.js';
import { withDatabase } from '../../support/database.js';
import { refused } from '../../support/refused.js';
import { aSigningRequest, memoryAuthorityStore, withFolder } from './support.js';

const NOW = new Date();
const DAY_MS = 24 * 60 * 60 * 1000;

describe('the certificate authority', () => {
  it('is made once and opened again with the same key file', () =>
    withFolder(async (folder) => {
      const store = memoryAuthorityStore();
      const first = await openAuthority(store, join(folder, 'key'), NOW);
      const second = await openAuthority(store, join(folder, 'key'), NOW);
      expect(second.certificatePem).to.equal(first.certificatePem);
      expect(first.fingerprint).to.equal(authorityFingerprint(new X509Certificate(first.certificatePem).raw));
      const identity = await second.issueServer(['localhost'], NOW);
      expect(
        new X509Certificate(identity.chainPem).verify(new X509Certificate(first.certificatePem).publicKey),
      ).to.equal(true);
    }));

  it('is the same for two controllers that make it at the same instant', () =>
    withFolder((folder) =>
      withDatabase(async (db) => {
        const open = () => openAuthority(authorityStore(db), join(folder, 'key'), NOW);
        const made = await Promise.all([open(), open(), open()]);
        expect(new Set(made.map((authority) => authority.fingerprint)).size).to.equal(1);
      }),
    ));

  it('never stores its key unsealed', () =>
    withFolder(async (folder) => {
      const store = memoryAuthorityStore();
      await openAuthority(store, join(folder, 'key'), NOW);
      const sealed = Buffer.from(store.stored()?.sealedKey ?? []);
      expect(() => createPrivateKey({ key: sealed, format: 'der', type: 'pkcs8' })).to.throw();
      const key = unseal((await readKeyFile(join(folder, 'key'))) as Buffer, sealed);
      expect(createPrivateKey({ key, format: 'der', type: 'pkcs8' }).asymmetricKeyType).to.equal('ec');
    }));

  it('says which key file is wrong, or missing, and what to do', () =>
    withFolder(async (folder) => {
      const store = memoryAuthorityStore();
      await openAuthority(store, join(folder, 'key'), NOW);
      await ensureKeyFile(join(folder, 'other'));
      const wrong = await refused(openAuthority(store, join(folder, 'other'), NOW));
      expect(wrong.code).to.equal('invalid_configuration');
      expect(wrong.message).to.contain(`${join(folder, 'other')} is the wrong key file`);
      expect(wrong.hint).to.contain('FRAISIER_KEY_FILE');
      const missing = await refused(openAuthority(store, join(folder, 'none'), NOW));
      expect(missing.message).to.contain(`there is no key file ${join(folder, 'none')}`);
    }));

  it('issues server certificates for names and addresses, for servers only, with the authority behind them', () =>
    withFolder(async (folder) => {
      const authority = await openAuthority(memoryAuthorityStore(), join(folder, 'key'), NOW);
      const { chainPem, expiresAt, privateKeyPem } = await authority.issueServer(
        ['a.example', '10.0.0.1', '::1'],
        NOW,
      );
      const [leaf = '', root = ''] = chainPem.split(/(?<=-----END CERTIFICATE-----)\n/);
      const certificate = new X509Certificate(leaf);
      expect(
        new X509Certificate(root).raw.equals(new X509Certificate(authority.certificatePem).raw),
      ).to.equal(true);
      expect(certificate.subjectAltName).to.equal(
        'DNS:a.example, IP Address:10.0.0.1, IP Address:0:0:0:0:0:0:0:1',
      );
      expect(certificate.keyUsage).to.deep.equal(['1.3.6.1.5.5.7.3.1']);
      expect(certificate.checkPrivateKey(createPrivateKey(privateKeyPem))).to.equal(true);
      expect(certificate.ca).to.equal(false);
      expect(expiresAt.getTime() - NOW.getTime()).to.be.closeTo(30 * DAY_MS, 1000);
    }));

  it('issues agents’ certificates for seven days, for clients only, in the name it is told', () =>
    withFolder(async (folder) => {
      const authority = await openAuthority(memoryAuthorityStore(), join(folder, 'key'), NOW);
      const request = await readSigningRequest((await aSigningRequest()).csrPem);
      const { certificatePem, serial, expiresAt } = await authority.issueAgent('web-1', request, NOW);
      const certificate = new X509Certificate(certificatePem);
      expect(agentNameOf(certificate.subjectAltName)).to.equal('web-1');
      expect(certificate.keyUsage).to.deep.equal(['1.3.6.1.5.5.7.3.2']);
      expect(certificate.serialNumber.toLowerCase()).to.equal(serial);
      expect(expiresAt.getTime() - NOW.getTime()).to.be.closeTo(7 * DAY_MS, 1000);
    }));
});

describe('signing requests', () => {
  it('are refused when they are too long, no PKCS#10, or of another kind of key', async () => {
    expect((await refused(readSigningRequest('x'.repeat(9000)))).message).to.contain('longer than 8 KiB');
    expect((await refused(readSigningRequest('nonsense'))).message).to.contain('no PKCS#10');
    const p384 = await aSigningRequest({ name: 'ECDSA', namedCurve: 'P-384', hash: 'SHA-384' });
    expect((await refused(readSigningRequest(p384.csrPem))).message).to.contain('not EC P-256');
  });

  it('are refused when somebody else signed them', async () => {
    const [one, other] = [await aSigningRequest(), await aSigningRequest()];
    const der = (pem: string): Buffer => Buffer.from(pem.replace(/-----[^-]+-----|\s/g, ''), 'base64');
    // The key is inside the first; the signature is at the end of each.
    const forged = Buffer.concat([der(one.csrPem).subarray(0, -64), der(other.csrPem).subarray(-64)]);
    const pem = `-----BEGIN CERTIFICATE REQUEST-----\n${forged.toString('base64')}\n-----END CERTIFICATE REQUEST-----`;
    const error = await refused(readSigningRequest(pem));
    expect(error.code).to.equal('protocol_violation');
  });
});

describe('an agent’s name', () => {
  for (const text of [
    undefined,
    '',
    'DNS:web-1',
    'URI:fraisier://agent/',
    'URI:fraisier://agent/A',
    'URI:https://agent/web-1',
  ]) {
    it(`is not read from ${text ?? 'nothing'}`, () => expect(agentNameOf(text)).to.equal(null));
  }

  it('is not read when there is anything beside it', () => {
    expect(agentNameOf('URI:fraisier://agent/web-1, URI:fraisier://agent/web-2')).to.equal(null);
  });
});

describe('the key file', () => {
  it('is made once, readable by its owner alone, also when several make it at once', () =>
    withFolder(async (folder) => {
      const path = join(folder, 'deep', 'key');
      const keys = await Promise.all([ensureKeyFile(path), ensureKeyFile(path), ensureKeyFile(path)]);
      expect(new Set(keys.map((key) => key.toString('hex'))).size).to.equal(1);
      expect((await stat(path)).mode & 0o777).to.equal(0o600);
      expect(await readFile(path, 'utf8')).to.match(/^[A-Za-z0-9+/]{43}=\n$/);
    }));

  it('is refused when it holds something else or cannot be read', () =>
    withFolder(async (folder) => {
      await writeFile(join(folder, 'short'), 'c2hvcnQ=\n');
      expect((await refused(ensureKeyFile(join(folder, 'short')))).message).to.contain('is no key file');
      expect((await refused(readKeyFile(folder))).message).to.contain('cannot be read');
    }));

  it('cannot be made in a folder that is none', () =>
    withFolder(async (folder) => {
      await writeFile(join(folder, 'file'), '');
      let code: unknown;
      await ensureKeyFile(join(folder, 'file', 'key')).catch((error: unknown) => (code = error));
      expect(code).to.be.instanceOf(Error);
      await chmod(folder, 0o700);
    }));

  it('opens what it sealed, and nothing that was changed', () =>
    withFolder(async (folder) => {
      const key = await ensureKeyFile(join(folder, 'key'));
      const sealed = Buffer.from(seal(key, Buffer.from('secret')));
      expect(unseal(key, sealed).toString()).to.equal('secret');
      sealed[sealed.length - 1] = (sealed.at(-1) as number) ^ 1;
      expect(() => unseal(key, sealed)).to.throw();
    }));
});
