import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'chai';
import 'reflect-metadata';
import { Pkcs10CertificateRequest } from '@peculiar/x509';
import { Server, ServerCredentials, type sendUnaryData, type ServerUnaryCall } from '@grpc/grpc-js';
import {
  EnrollmentService,
  type EnrollRequest,
  type EnrollResponse,
} from '../../proto/gen/fraisier/v1/enrollment.js';
import { FraisierError } from '../../proto/error-codes.js';
import { toServiceError } from '../../proto/grpc-errors.js';
import { newToken } from '../../proto/tokens.js';
import { systemClock } from '../../agent/clock.js';
import { dialGrpc } from '../../agent/dial.js';
import { systemDisk, type Disk } from '../../agent/disk.js';
import { enrol, type EnrolmentPorts } from '../../agent/enrolment.js';
import { IdentityStore, renewalDueAt } from '../../agent/identity.js';
import { startRenewal } from '../../agent/renewal.js';
import { until } from '../support/until.js';
import { aTestAuthority, type TestAuthority } from './authority.js';
import { withFolder } from './builders.js';
import { TestController } from './controller.js';
import { SILENT } from './host.js';
import { ManualClock } from './manual-clock.js';
import { tlsOf } from './tls.js';

const HOUR_MS = 3_600_000;
const never = new AbortController().signal;

describe('the identity', () => {
  let authority: TestAuthority;
  before(async () => {
    authority = await aTestAuthority();
  });

  it('is kept for the owner only, and replaced as a whole', () =>
    withFolder(async (folder) => {
      const store = new IdentityStore(systemDisk, folder);
      expect(await store.load()).to.equal(null);
      const [first, second] = [await authority.identity(), await authority.identity()];
      await store.save(first);
      expect(await store.load()).to.deep.equal(first);
      await store.save(second);
      expect(await store.load()).to.deep.equal(second);
      const names = await systemDisk.list(join(folder, 'identity'));
      expect(names).to.deep.equal(['2.authority.pem', '2.certificate.pem', '2.key.pem', 'current']);
      for (const name of names) expect((await stat(join(folder, 'identity', name))).mode & 0o077).to.equal(0);
    }));

  it('is a whole pair whenever the agent is killed while it is replaced (row 13)', async () => {
    const [first, second] = [await authority.identity(), await authority.identity()];
    for (let step = 1; step <= 8; step += 1) {
      await withFolder(async (folder) => {
        await new IdentityStore(systemDisk, folder).save(first);
        await new IdentityStore(killedAt(step), folder).save(second).catch(() => undefined);
        const found = await new IdentityStore(systemDisk, folder).load();
        expect([first, second]).to.deep.include(found);
      });
    }
  });

  it('says how to mend what is missing, incomplete or has run out', () =>
    withFolder(async (folder) => {
      const store = new IdentityStore(systemDisk, folder);
      expect((await refusal(store.valid(new Date()))).message).to.equal('this agent is not enrolled');
      await store.save(await authority.identity({ fromMs: -2 * HOUR_MS, toMs: -HOUR_MS }));
      const ended = await refusal(store.valid(new Date()));
      expect(ended.reason).to.deep.include({ code: 'unauthenticated' });
      expect(ended.message).to.contain('ran out on');
      await systemDisk.remove(join(folder, 'identity', '1.key.pem'));
      expect((await refusal(store.load())).message).to.contain('is not complete');
    }));

  it('remembers the controllers, and is not told of none', () =>
    withFolder(async (folder) => {
      const store = new IdentityStore(systemDisk, folder);
      expect(await store.controllers()).to.deep.equal([]);
      await store.setControllers(['a:9091', 'b:9091']);
      await store.setControllers([]);
      await store.setControllers(['a:9091', 'b:9091']);
      expect(await store.controllers()).to.deep.equal(['a:9091', 'b:9091']);
    }));

  describe('renewal (row 13)', () => {
    it('begins when half of the life is used up, and stores what is answered', () =>
      withFolder(async (folder) => {
        const store = new IdentityStore(systemDisk, folder);
        const old = await authority.identity({ fromMs: -3 * HOUR_MS, toMs: HOUR_MS });
        await store.save(old);
        const { sent, renewal } = renewing(store);
        await until('the request', () => sent.length === 1);
        renewal.answered({ certificatePem: await authority.sign(sent[0] ?? ''), authorityPem: '' });
        await renewal.stored;
        const found = await store.load();
        expect(found?.authorityPem).to.equal(authority.pem);
        expect(found?.keyPem).not.to.equal(old.keyPem);
        expect(renewalDueAt(found ?? old).getTime()).to.be.greaterThan(Date.now() - 60_000);
      }));

    it('waits for its time', () =>
      withFolder(async (folder) => {
        const clock = new ManualClock();
        const store = new IdentityStore(systemDisk, folder);
        const lateMs = clock.now().getTime() - Date.now();
        await store.save(await authority.identity({ fromMs: lateMs - HOUR_MS, toMs: lateMs + 3 * HOUR_MS }));
        const { sent } = renewing(store, clock);
        await until('the wait', () => clock.sleepers() === 1);
        clock.advance(HOUR_MS - 60_000);
        await until('the wait', () => clock.sleepers() === 1 || sent.length > 0);
        expect(sent).to.deep.equal([]);
        clock.advance(120_000);
        await until('the request', () => sent.length === 1);
      }));

    it('asks again, with another key, when there is no answer', () =>
      withFolder(async (folder) => {
        const clock = new ManualClock();
        const store = new IdentityStore(systemDisk, folder);
        const lateMs = clock.now().getTime() - Date.now();
        await store.save(await authority.identity({ fromMs: lateMs - 3 * HOUR_MS, toMs: lateMs + HOUR_MS }));
        const { sent } = renewing(store, clock);
        await until('the request', () => sent.length === 1 && clock.sleepers(60_000) === 1);
        clock.advance(60_000);
        await until('another', () => sent.length === 2);
        expect(sent[0]).not.to.equal(sent[1]);
      }));

    it('refuses a certificate for another key', () =>
      withFolder(async (folder) => {
        const store = new IdentityStore(systemDisk, folder);
        await store.save(await authority.identity({ fromMs: -3 * HOUR_MS, toMs: HOUR_MS }));
        const { sent, renewal } = renewing(store);
        await until('the request', () => sent.length === 1);
        renewal.answered(await authority.identity());
        expect((await refusal(renewal.stored)).reason.code).to.equal('protocol_violation');
      }));
  });

  describe('enrolment', () => {
    it('trades a token for a certificate, and leaves the token nowhere', () =>
      withEnrolment(authority, async ({ ports, store, address, seen }) => {
        const token = newToken('join', authority.fingerprint, (size) => new Uint8Array(size).fill(7));
        expect(
          await enrol(ports, { controllers: ['127.0.0.1:1', address], token: `${token}\n` }, never),
        ).to.equal('enrolled');
        const identity = await store.valid(new Date());
        expect(identity.authorityPem).to.equal(authority.pem);
        expect(await store.controllers()).to.deep.equal(['10.0.0.1:9091']);
        expect(await store.enrollingKey()).to.equal(null);
        expect(seen.map(({ token: one }) => one)).to.deep.equal([token]);
        expect(await enrol(ports, { controllers: [], token }, never)).to.equal('already');
      }));

    it('repeats the same request when the answer is lost or the agent dies', () =>
      withEnrolment(authority, async ({ ports, address, seen, fail }) => {
        const token = newToken('join', authority.fingerprint, (size) => new Uint8Array(size));
        fail(new FraisierError('controller_away', 'lost'), new FraisierError('token_expired', 'too late'));
        const error = await refusal(enrol(ports, { controllers: [address], token }, never));
        expect(error.reason.code).to.equal('token_expired');
        await enrol(ports, { controllers: [address], token }, never);
        expect(seen).to.have.length(3);
        const keys = seen.map(({ csrPem }) =>
          Buffer.from(new Pkcs10CertificateRequest(csrPem).publicKey.rawData).toString('hex'),
        );
        expect(new Set(keys).size).to.equal(1);
      }));

    it('shows its token to nobody but the authority it names', () =>
      withEnrolment(authority, async ({ ports, address, seen }) => {
        const other = await aTestAuthority();
        const token = newToken('join', other.fingerprint, (size) => new Uint8Array(size));
        expect((await refusal(enrol(ports, { controllers: [address], token }, never))).reason.code).to.equal(
          'controller_untrusted',
        );
        expect(seen).to.deep.equal([]);
      }));

    it('wants a join token and an address', () =>
      withEnrolment(authority, async ({ ports, address }) => {
        const api = newToken('api', authority.fingerprint, (size) => new Uint8Array(size));
        expect(
          (await refusal(enrol(ports, { controllers: [address], token: api }, never))).reason.code,
        ).to.equal('token_invalid');
        expect((await refusal(enrol(ports, { controllers: [], token: api }, never))).reason.code).to.equal(
          'usage',
        );
      }));

    it('gives up when it is told to', () =>
      withEnrolment(authority, async ({ ports, address, fail }) => {
        fail(...Array.from({ length: 50 }, () => new FraisierError('controller_away', 'away')));
        const stop = new AbortController();
        const token = newToken('join', authority.fingerprint, (size) => new Uint8Array(size));
        const enrolling = enrol(ports, { controllers: [address], token }, stop.signal);
        stop.abort(new Error('enough'));
        expect(await enrolling.catch((error: unknown) => error)).to.have.property('message', 'enough');
      }));
  });

  it('opens a stream that both sides have verified', () =>
    withFolder(async () => {
      const controller = new TestController(await tlsOf(authority));
      await controller.start();
      try {
        const stream = await dialGrpc(() => authority.identity())(controller.address);
        await stream.send({ $case: 'hello', value: HELLO });
        const first = await stream.messages[Symbol.asyncIterator]().next();
        expect(first.value?.message?.$case).to.equal('welcome');
        stream.close();
        const stranger = await (await aTestAuthority()).identity();
        const refused = await dialGrpc(() => Promise.resolve({ ...stranger, authorityPem: authority.pem }))(
          controller.address,
        );
        const error = await refusal(refused.messages[Symbol.asyncIterator]().next());
        expect(error.reason.code).to.equal('controller_away');
        refused.close();
      } finally {
        await controller.stop();
      }
    }));
});

const HELLO = { protocolVersion: 1, agentVersion: '1', bootId: '', instanceId: 'i', runs: [], live: [] };

function renewing(identities: IdentityStore, clock: ManualClock | typeof systemClock = systemClock) {
  const sent: string[] = [];
  const stop = new AbortController();
  const renewal = startRenewal({ clock, identities })((message) => {
    if (message.$case === 'renew') sent.push(message.value.csrPem);
    return Promise.resolve();
  }, stop.signal);
  renewal.stored.catch(() => undefined);
  return { sent, renewal };
}

interface EnrolmentScene {
  readonly ports: EnrolmentPorts;
  readonly store: IdentityStore;
  readonly address: string;
  readonly seen: EnrollRequest[];
  /** The next calls fail so; the request was seen all the same. */
  readonly fail: (...errors: FraisierError[]) => void;
}

async function withEnrolment(
  authority: TestAuthority,
  work: (scene: EnrolmentScene) => Promise<void>,
): Promise<void> {
  const { keyPem, chainPem } = await authority.server();
  const server = new Server();
  const seen: EnrollRequest[] = [];
  const failures: FraisierError[] = [];
  server.addService(EnrollmentService, {
    enroll: (call: ServerUnaryCall<EnrollRequest, EnrollResponse>, answer: sendUnaryData<EnrollResponse>) => {
      seen.push(call.request);
      const failure = failures.shift();
      if (failure !== undefined) return answer(toServiceError(failure));
      void authority.sign(call.request.csrPem).then((certificatePem) => {
        answer(null, {
          agentName: 'web-1',
          labels: {},
          certificatePem,
          authorityPem: authority.pem,
          controllers: ['10.0.0.1:9091'],
        });
      });
    },
  });
  const tls = ServerCredentials.createSsl(null, [
    { private_key: Buffer.from(keyPem), cert_chain: Buffer.from(chainPem) },
  ]);
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync('127.0.0.1:0', tls, (error, bound) => (error === null ? resolve(bound) : reject(error)));
  });
  try {
    await withFolder(async (folder) => {
      const store = new IdentityStore(systemDisk, folder);
      const ports = {
        identities: store,
        clock: systemClock,
        random: () => 0.01,
        agentVersion: '1',
        logger: SILENT,
      };
      await work({
        ports,
        store,
        address: `127.0.0.1:${port}`,
        seen,
        fail: (...errors) => failures.push(...errors),
      });
    });
  } finally {
    server.forceShutdown();
  }
}

function killedAt(step: number): Disk {
  let count = 0;
  const act = (work: () => Promise<void>): Promise<void> =>
    ++count < step ? work() : Promise.reject(new Error('killed'));
  return {
    ...systemDisk,
    writeWhole: (path, bytes, mode) => act(() => systemDisk.writeWhole(path, bytes, mode)),
    remove: (path) => act(() => systemDisk.remove(path)),
  };
}

async function refusal(work: Promise<unknown>): Promise<FraisierError> {
  const error = await work.then(
    () => expect.fail('it was not refused'),
    (why: unknown) => why,
  );
  if (error instanceof FraisierError) return error;
  throw error;
}
