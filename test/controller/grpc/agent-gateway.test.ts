import { status as GrpcStatus } from '@grpc/grpc-js';
import { expect } from 'chai';
import { Answer, Question } from '../../../proto/gen/fraisier/v1/agent.js';
import { PROTOCOL_VERSION } from '../../../proto/protocol-version.js';
import type { Edges } from '../../../controller/deployments/edges.js';
import { revokeAgent } from '../../../controller/pki/revoke-agent.js';
import { until } from '../../support/until.js';
import { aSigningRequest } from '../pki/support.js';
import { aHello, aPendingRun, runStarted, withGateway } from './gateway-lab.js';

const ADMIN = { name: 'local', role: 'admin' } as const;

describe('the agents’ port', () => {
  describe('at the beginning of a stream', () => {
    it('takes the lease and answers hello with a welcome', () =>
      withGateway(async (lab) => {
        const agent = lab.greet(await lab.enrol('web-1'));
        const welcome = await agent.hear('welcome');
        expect(welcome).to.include({
          agentName: 'web-1',
          epoch: 1,
          leaseMs: 30_000,
          protocolVersion: PROTOCOL_VERSION,
        });
        expect(welcome.controllers).to.deep.equal(['localhost:9091']);
        expect(await lab.ledger.agent('web-1')).to.include({
          controllerId: 'c_1',
          agentVersion: '0.1.0',
          instanceId: 'i',
        });
      }));

    it('says of every unfinished run where to go on, and which are over', () =>
      withGateway(async (lab) => {
        await aPendingRun(lab, 'web-1');
        const runs = ['r_1', 'r_unknown'].map((runId) => ({ runId, lastSeq: 0 }));
        const { resume } = await lab.greet(await lab.enrol('web-1'), { runs }).hear('welcome');
        expect(resume).to.deep.equal([
          { runId: 'r_1', seq: 0, logs: [], abandoned: false },
          { runId: 'r_unknown', seq: 0, logs: [], abandoned: true },
        ]);
      }));

    it('refuses and audits a first message that is no hello', () =>
      withGateway(async (lab) => {
        const agent = lab.connect(await lab.enrol('web-1'));
        agent.say({ $case: 'ping', value: { number: 1 } });
        const { reason, retry } = await agent.goodbye();
        expect(reason).to.include({
          code: 'protocol_violation',
          message: 'the first message was ping instead of hello',
        });
        expect(retry).to.equal(true);
        expect(lab.state().audit.at(-1)).to.include({ actor: 'agent:web-1', action: 'message_refused' });
      }));

    it('ends a stream that says nothing, of which nothing was refused (row 6)', () =>
      withGateway(
        async (lab) => {
          const { reason } = await lab.connect(await lab.enrol('web-1')).goodbye();
          expect(reason).to.include({ code: 'agent_away', message: 'no hello came within 50 ms' });
          expect(lab.state().audit.map(({ action }) => action)).not.to.include('message_refused');
        },
        { patience: { helloMs: 50 } },
      ));

    it('ends a stream that is ended without a word', () =>
      withGateway(async (lab) => {
        const agent = lab.connect(await lab.enrol('web-1'));
        agent.hangUp();
        expect((await agent.goodbye()).reason?.message).to.contain('none instead of hello');
      }));

    for (const [protocolVersion, side] of [
      [PROTOCOL_VERSION + 1, 'upgrade the controller'],
      [0, 'upgrade the agent'],
    ] as const) {
      it(`refuses protocol ${protocolVersion} with the side to upgrade (row 3)`, () =>
        withGateway(async (lab) => {
          const { reason } = await lab.greet(await lab.enrol('web-1'), { protocolVersion }).goodbye();
          expect(reason?.code).to.equal('protocol_mismatch');
          expect(reason?.message).to.contain(side);
        }));
    }

    it('refuses a certificate whose agent is not enrolled, for good', () =>
      withGateway(async (lab) => {
        const { reason, retry } = await lab.greet(await lab.certificate('stranger')).goodbye();
        expect([reason?.code, retry]).to.deep.equal(['unknown_agent', false]);
      }));

    it('refuses a revoked agent, for good', () =>
      withGateway(async (lab) => {
        const who = await lab.enrol('web-1');
        await revokeAgent(lab, 'web-1', ADMIN);
        const { reason, retry } = await lab.greet(who).goodbye();
        expect([reason?.code, retry]).to.deep.equal(['agent_revoked', false]);
      }));

    it('refuses a certificate from before the agent was enrolled again', () =>
      withGateway(async (lab) => {
        const old = await lab.enrol('web-1', new Date(Date.now() - 60_000));
        const { reason } = await lab.greet(old).goodbye();
        expect(reason?.code).to.equal('unauthenticated');
        expect(reason?.message).to.contain('was enrolled again since');
      }));
  });

  describe('while a stream is open', () => {
    it('renews the lease for a ping, and answers it', () =>
      withGateway(async (lab) => {
        const agent = lab.greet(await lab.enrol('web-1'));
        await agent.hear('welcome');
        const before = (await lab.ledger.agent('web-1'))?.leaseExpiresAt?.getTime() ?? 0;
        agent.say({ $case: 'ping', value: { number: 7 } });
        expect(await agent.hear('pong')).to.deep.equal({ number: 7 });
        expect((await lab.ledger.agent('web-1'))?.leaseExpiresAt?.getTime()).to.be.greaterThan(before);
      }));

    it('ends when no ping comes for the length of a lease, and gives the lease back (row 6)', () =>
      withGateway(
        async (lab) => {
          const agent = lab.greet(await lab.enrol('web-1'));
          const { reason, retry } = await agent.goodbye();
          expect([reason?.code, retry]).to.deep.equal(['agent_away', true]);
          await until(
            'the lease to be over',
            async () => (await lab.ledger.agent('web-1'))?.controllerId === null,
          );
        },
        { leaseMs: 100 },
      ));

    it('stays while pings come', () =>
      withGateway(
        async (lab) => {
          const agent = lab.greet(await lab.enrol('web-1'));
          for (let number = 1; number <= 12; number += 1) {
            agent.say({ $case: 'ping', value: { number } });
            await agent.hear('pong', number);
            await new Promise((later) => setTimeout(later, 50));
          }
          expect(agent.all('goodbye')).to.deep.equal([]);
        },
        { leaseMs: 400 },
      ));

    it('ends the older of two streams of one agent', () =>
      withGateway(async (lab) => {
        const who = await lab.enrol('web-1');
        const older = lab.greet(who);
        await older.hear('welcome');
        const newer = lab.greet(who);
        expect((await newer.hear('welcome')).epoch).to.equal(2);
        const { reason, retry } = await older.goodbye();
        expect([reason?.code, retry]).to.deep.equal(['agent_replaced', true]);
        newer.say({ $case: 'ping', value: { number: 1 } });
        await newer.hear('pong');
      }));

    it('answers the ping of a replaced stream with goodbye, even when no wake-up came', () =>
      withGateway(
        async (lab) => {
          const agent = lab.greet(await lab.enrol('web-1'));
          await agent.hear('welcome');
          await lab.ledger.takeLease('web-1', {
            controllerId: 'c_2',
            leaseMs: 1000,
            agentVersion: '',
            bootId: '',
            instanceId: '',
            live: [],
          });
          agent.say({ $case: 'ping', value: { number: 1 } });
          expect((await agent.goodbye()).reason?.code).to.equal('agent_replaced');
        },
        { change: (edges) => ({ ...edges, waking: { subscribe: () => () => undefined } }) },
      ));

    it('ends at once when the agent is revoked', () =>
      withGateway(async (lab) => {
        const agent = lab.greet(await lab.enrol('web-1'));
        await agent.hear('welcome');
        await revokeAgent(lab, 'web-1', ADMIN);
        const { reason, retry } = await agent.goodbye();
        expect([reason?.code, retry]).to.deep.equal(['agent_revoked', false]);
      }));

    it('sends a run once, and acknowledges what is reported of it', () =>
      withGateway(async (lab) => {
        const agent = lab.greet(await lab.enrol('web-1'));
        await agent.hear('welcome');
        await aPendingRun(lab, 'web-1');
        await lab.ledger.wake({ about: 'host', name: 'web-1' });
        expect(await agent.hear('assignment')).to.include({ runId: 'r_1', epoch: 1, validForMs: 30_000 });
        await lab.ledger.wake({ about: 'host', name: 'web-1' });
        agent.say(runStarted('r_1', 1));
        expect(await agent.hear('ack')).to.deep.equal({ runId: 'r_1', seq: 1 });
        const run = await lab.ledger.run('r_1');
        expect(run?.status).to.equal('running');
        const output = {
          runId: 'r_1',
          step: run?.steps[0]?.name ?? '',
          attempt: 1,
          offset: 0,
          truncated: false,
        };
        agent.say({ $case: 'log', value: { ...output, data: Buffer.from('hello\n') } });
        expect(await agent.hear('logAck')).to.include({ runId: 'r_1', offset: 6 });
        expect(agent.all('assignment')).to.have.length(1);
      }));

    it('reads no more than it can record when an agent does not wait for it, and records the rest later, once', async () => {
      const [chunks, data] = [200, Buffer.alloc(64 * 1024, 'x')];
      let mayRecord = Promise.resolve();
      const slow = ({ ledger, ...edges }: Edges): Edges => {
        const transaction: typeof ledger.transaction = (work) =>
          mayRecord.then(() => ledger.transaction(work));
        return { ...edges, ledger: { ...ledger, transaction } };
      };
      await withGateway(
        async (lab) => {
          await aPendingRun(lab, 'web-1');
          const agent = lab.greet(await lab.enrol('web-1'));
          await agent.hear('assignment');
          const step = (await lab.ledger.run('r_1'))?.steps[0]?.name ?? '';
          let goOn = (): void => undefined;
          mayRecord = new Promise((resolve) => (goOn = resolve));
          let taken = 0;
          for (let chunk = 0; chunk < chunks; chunk += 1) {
            const value = {
              runId: 'r_1',
              step,
              attempt: 1,
              offset: chunk * data.length,
              truncated: false,
              data,
            };
            void agent.pour({ $case: 'log', value }).then(() => (taken += 1));
          }
          let before = -1;
          const rests = () => taken > 0 && before === (before = taken);
          await until('the line to be full', rests, { everyMs: 100 });
          const takenOfAll = taken;
          goOn();
          expect(takenOfAll).to.be.below(chunks / 2);
          const whole = () => agent.all('logAck').some(({ offset }) => offset === chunks * data.length);
          await until('all of it to be recorded', whole);
          const stored = lab.state().logs.reduce((bytes, log) => bytes + log.data.length, 0);
          expect(stored).to.equal(chunks * data.length);
        },
        { change: slow },
      );
    });

    it('finds work without a wake-up', () =>
      withGateway(
        async (lab) => {
          const agent = lab.greet(await lab.enrol('web-1'));
          await agent.hear('welcome');
          await aPendingRun(lab, 'web-1');
          await agent.hear('assignment');
        },
        { patience: { dispatchMs: 20 } },
      ));

    it('asks with one statement whether there is work, as long as there is none', async () => {
      const asked = { hasWork: 0, transactions: 0 };
      const counting = ({ ledger, ...edges }: Edges): Edges => ({
        ...edges,
        ledger: {
          ...ledger,
          hasWork: (...one) => {
            asked.hasWork += 1;
            return ledger.hasWork(...one);
          },
          transaction: (work) => {
            asked.transactions += 1;
            return ledger.transaction(work);
          },
        },
      });
      await withGateway(
        async (lab) => {
          await lab.greet(await lab.enrol('web-1')).hear('welcome');
          await until('the stream to be idle', () => asked.hasWork > 0);
          const { transactions } = asked;
          await until('some looks', () => asked.hasWork > 5);
          expect(asked.transactions).to.equal(transactions);
        },
        { patience: { dispatchMs: 5 }, change: counting },
      );
    });

    it('tells of a cancellation once', () =>
      withGateway(async (lab) => {
        await aPendingRun(lab, 'web-1');
        const agent = lab.greet(await lab.enrol('web-1'));
        await agent.hear('assignment');
        const cancelReason = { code: 'cancelled', message: 'cancelled by local', hint: '', facts: {} };
        await lab.ledger.moveRun('r_1', 'dispatched', 'dispatched', { cancelReason });
        for (let wake = 0; wake < 3; wake += 1) await lab.ledger.wake({ about: 'host', name: 'web-1' });
        expect(await agent.hear('cancel')).to.deep.equal({ runId: 'r_1', reason: cancelReason });
        agent.say({ $case: 'ping', value: { number: 1 } });
        await agent.hear('pong');
        expect(agent.all('cancel')).to.have.length(1);
      }));

    it('refuses and audits reports on another host’s run (row 5)', () =>
      withGateway(async (lab) => {
        await aPendingRun(lab, 'web-2');
        const agent = lab.greet(await lab.enrol('web-1'));
        await agent.hear('welcome');
        agent.say(runStarted('r_1', 1));
        expect((await agent.goodbye()).reason?.code).to.equal('protocol_violation');
        expect(lab.state().audit.at(-1)).to.include({ actor: 'agent:web-1', action: 'message_refused' });
        expect((await lab.ledger.run('r_1'))?.status).to.equal('pending');
      }));

    it('refuses and audits a gap in the numbers (row 5)', () =>
      withGateway(async (lab) => {
        await aPendingRun(lab, 'web-1');
        const agent = lab.greet(await lab.enrol('web-1'));
        await agent.hear('assignment');
        agent.say(runStarted('r_1', 2));
        expect((await agent.goodbye()).reason?.code).to.equal('protocol_violation');
        expect(agent.all('ack')).to.deep.equal([]);
      }));

    it('refuses a second hello', () =>
      withGateway(async (lab) => {
        const agent = lab.greet(await lab.enrol('web-1'));
        agent.say({ $case: 'hello', value: aHello() });
        expect((await agent.goodbye()).reason?.message).to.equal('a second hello came on the same stream');
      }));

    it('ends the stream for a message of 5 MB, and goes on serving others (row 5)', () =>
      withGateway(async (lab) => {
        const agent = lab.greet(await lab.enrol('web-1'));
        await agent.hear('welcome');
        const huge = {
          runId: 'r_1',
          step: 's',
          attempt: 1,
          offset: 0,
          data: Buffer.alloc(5e6),
          truncated: false,
        };
        agent.say({ $case: 'log', value: huge });
        await until('the stream to fail', () => agent.error);
        expect(agent.error?.code).to.equal(GrpcStatus.RESOURCE_EXHAUSTED);
        await until(
          'the lease to be over',
          async () => (await lab.ledger.agent('web-1'))?.controllerId === null,
        );
        await lab.greet(await lab.enrol('web-2')).hear('welcome');
      }));

    it('takes everything said before an agent hangs up', () =>
      withGateway(async (lab) => {
        await aPendingRun(lab, 'web-1');
        const agent = lab.greet(await lab.enrol('web-1'));
        await agent.hear('assignment');
        agent.say(runStarted('r_1', 1));
        agent.hangUp();
        expect(await agent.hear('ack')).to.deep.equal({ runId: 'r_1', seq: 1 });
        await until('the stream to end', () => agent.ended);
        expect(agent.all('goodbye')).to.deep.equal([]);
      }));

    it('says no more than that it failed when the ledger fails', () =>
      withGateway(
        async (lab) => {
          const { reason, retry } = await lab.greet(await lab.enrol('web-1')).goodbye();
          expect([reason?.code, retry]).to.deep.equal(['internal', true]);
          expect(reason?.message).not.to.contain('disk on fire');
          expect(lab.logged.join('')).to.contain('disk on fire');
        },
        {
          change: (edges) => {
            const takeLease = () => Promise.reject(new Error('disk on fire'));
            const ledger = new Proxy(edges.ledger, {
              get: (target, name) => (name === 'takeLease' ? takeLease : Reflect.get(target, name)),
            });
            return { ...edges, ledger };
          },
        },
      ));

    it('says drain and then goodbye when the controller shuts down', () =>
      withGateway(async (lab) => {
        const agent = lab.greet(await lab.enrol('web-1'));
        await agent.hear('welcome');
        const closing = lab.port.close();
        await agent.hear('drain');
        const { reason, retry } = await agent.goodbye();
        expect([reason?.code, retry]).to.deep.equal(['shutting_down', true]);
        await closing;
        expect((await lab.ledger.agent('web-1'))?.controllerId).to.equal(null);
      }));
  });

  describe('for questions', () => {
    const question = { questionId: 'q_1', deadlineMs: 1000, question: undefined };

    it('sends each once and stores the answer', () =>
      withGateway(async (lab) => {
        const agent = lab.greet(await lab.enrol('web-1'));
        await agent.hear('welcome');
        const row = {
          id: 'q_1',
          host: 'web-1',
          question: Question.encode(question).finish(),
          deadlineMs: 5_000,
        };
        await lab.ledger.insertQuestion(row);
        for (let wake = 0; wake < 3; wake += 1) await lab.ledger.wake({ about: 'host', name: 'web-1' });
        expect((await agent.hear('question')).questionId).to.equal('q_1');
        const answer = {
          questionId: 'q_1',
          answer: { $case: 'resolved' as const, value: { commit: 'abc' } },
        };
        agent.say({ $case: 'answer', value: answer });
        agent.say({ $case: 'answer', value: answer });
        const stored = await until('the answer', async () => (await lab.ledger.question('q_1'))?.answer);
        expect(Answer.decode(stored)).to.deep.equal(answer);
        expect(agent.all('question')).to.have.length(1);
      }));

    it('keeps an answer to another host’s question out', () =>
      withGateway(async (lab) => {
        const agent = lab.greet(await lab.enrol('web-1'));
        await agent.hear('welcome');
        const row = {
          id: 'q_1',
          host: 'web-2',
          question: Question.encode(question).finish(),
          deadlineMs: 5_000,
        };
        await lab.ledger.insertQuestion(row);
        const answer = { $case: 'resolved' as const, value: { commit: 'abc' } };
        agent.say({ $case: 'answer', value: { questionId: 'q_1', answer } });
        agent.say({ $case: 'ping', value: { number: 1 } });
        await agent.hear('pong');
        expect((await lab.ledger.question('q_1'))?.answer).to.equal(null);
      }));
  });

  describe('for certificates', () => {
    it('are not renewed for whoever was connected when the host was enrolled again', () =>
      withGateway(async (lab) => {
        const agent = lab.greet(await lab.enrol('web-1'));
        await agent.hear('welcome');
        await lab.enrol('web-1');
        agent.say({ $case: 'renew', value: { csrPem: (await aSigningRequest()).csrPem } });
        expect((await agent.goodbye()).reason?.code).to.equal('agent_replaced');
        expect(agent.all('renewed')).to.deep.equal([]);
      }));

    it('renews them over the stream, for the name the agent has (row 13)', () =>
      withGateway(async (lab) => {
        const agent = lab.greet(await lab.enrol('web-1'));
        await agent.hear('welcome');
        const { csrPem, privateKeyPem } = await aSigningRequest();
        agent.say({ $case: 'renew', value: { csrPem } });
        const { certificatePem, authorityPem } = await agent.hear('renewed');
        expect(authorityPem).to.equal(lab.authority.certificatePem);
        const renewed = lab.greet({ certificatePem, privateKeyPem });
        expect((await renewed.hear('welcome')).agentName).to.equal('web-1');
        expect((await lab.ledger.agent('web-1'))?.certificateSerial).not.to.equal('01');
        expect(lab.state().audit.at(-1)).to.include({ actor: 'agent:web-1', action: 'certificate_renewed' });
      }));

    it('refuses a signing request that is none', () =>
      withGateway(async (lab) => {
        const agent = lab.greet(await lab.enrol('web-1'));
        agent.say({ $case: 'renew', value: { csrPem: 'please' } });
        expect((await agent.goodbye()).reason?.message).to.contain('it is no PKCS#10 in PEM');
      }));
  });
});
