import { join } from 'node:path';
import { Client, credentials, status } from '@grpc/grpc-js';
import { load, loadSync, type MethodDefinition } from '@grpc/proto-loader';
import { expect } from 'chai';
import fc from 'fast-check';
import { AgentGatewayService, FromAgent, Outcome, ToAgent } from '../../proto/gen/fraisier/v1/agent.js';
import { ControlService, Deployment, WatchEvent } from '../../proto/gen/fraisier/v1/control.js';
import { EnrollmentService } from '../../proto/gen/fraisier/v1/enrollment.js';
import { packageRoot } from '../../proto/package-root.js';
import { withCallers } from '../controller/grpc/callers-lab.js';

const FILES = ['agent', 'control', 'enrollment'].map((name) => `fraisier/v1/${name}.proto`);
const OPTIONS = {
  includeDirs: [join(packageRoot(), 'proto')],
  longs: Number,
  enums: String,
  bytes: Buffer,
  oneofs: true,
};
const NAMES = { AgentGateway: AgentGatewayService, Control: ControlService, Enrollment: EnrollmentService };

type Method = MethodDefinition<object, object>;

describe('the .proto files', () => {
  it('have the services and methods that the generated code has', async () => {
    const loaded = await load(FILES, OPTIONS);
    for (const [name, service] of Object.entries(NAMES)) {
      const methods = Object.values(loaded[`fraisier.v1.${name}`] as Record<string, Method>);
      const shape = ({
        path,
        requestStream,
        responseStream,
      }: Pick<Method, 'path' | 'requestStream' | 'responseStream'>) =>
        `${path} ${requestStream} ${responseStream}`;
      expect(methods.map(shape).sort()).to.deep.equal(Object.values(service).map(shape).sort());
    }
  });

  it('mean the same to both codecs, for any agent’s event', async () => {
    const loaded = await load(FILES, OPTIONS);
    const { requestDeserialize, requestSerialize } = (
      loaded['fraisier.v1.AgentGateway'] as Record<string, Method>
    )['Connect'] as Method;
    const anything = fc.record({
      runId: fc.string(),
      seq: fc.nat(),
      step: fc.string(),
      attempt: fc.nat({ max: 2 ** 31 - 1 }),
      outcome: fc.constantFrom(Outcome.SUCCEEDED, Outcome.FAILED, Outcome.CANCELLED, Outcome.INTERRUPTED),
      facts: fc.dictionary(fc.stringMatching(/^[a-z]{1,20}$/), fc.string(), { noNullPrototype: true }),
      at: fc.date({ min: new Date(0), max: new Date('2200-01-01'), noInvalidDate: true }),
    });
    fc.assert(
      fc.property(anything, ({ runId, seq, step, attempt, outcome, facts, at }) => {
        const reason = { code: 'c', message: 'm', hint: '', facts };
        const finished = {
          step,
          attempt,
          outcome,
          reason,
          durationMs: 1,
          result: undefined,
          logBytes: 2,
          logTruncated: true,
        };
        const event = { $case: 'stepFinished' as const, value: finished };
        const message: FromAgent = { message: { $case: 'event', value: { runId, seq, at, event } } };
        const theirs = requestDeserialize(Buffer.from(FromAgent.encode(message).finish()));
        expect(FromAgent.decode(requestSerialize(theirs))).to.deep.equal(message);
      }),
    );
  });

  it('mean the same to both codecs for bytes, logs and what a watcher is told', () => {
    const loaded = loadSync(FILES, OPTIONS);
    const control = loaded['fraisier.v1.Control'] as Record<string, Method>;
    const gateway = loaded['fraisier.v1.AgentGateway'] as Record<string, Method>;
    const ack: ToAgent = {
      message: { $case: 'logAck', value: { runId: 'r', step: 's', attempt: 1, offset: 5_000_000_000 } },
    };
    const toAgent = (gateway['Connect'] as Method).responseDeserialize(
      Buffer.from(ToAgent.encode(ack).finish()),
    );
    expect(toAgent).to.deep.include({
      logAck: { runId: 'r', step: 's', attempt: 1, offset: 5_000_000_000 },
    });
    const deployment = Deployment.fromPartial({
      id: 'd_1',
      durationMs: 3,
      hosts: [{ host: 'web-1', lateReports: ['x'] }],
    });
    const event: WatchEvent = { number: 3, at: undefined, event: { $case: 'deployment', value: deployment } };
    const watch = control['Watch'] as Method;
    const theirs = watch.responseDeserialize(Buffer.from(WatchEvent.encode(event).finish()));
    expect(WatchEvent.decode(watch.responseSerialize(theirs))).to.deep.equal(event);
  });
});

describe('server reflection', () => {
  for (const version of ['v1', 'v1alpha']) {
    const path = `/grpc.reflection.${version}.ServerReflection/ServerReflectionInfo`;

    it(`lists the public services to generic tools and describes them (${version})`, () =>
      withClient(async (client) => {
        const file = `node_modules/@grpc/reflection/build/proto/grpc/reflection/${version}/reflection.proto`;
        const methods = (await load(join(packageRoot(), file)))[
          `grpc.reflection.${version}.ServerReflection`
        ];
        const { ServerReflectionInfo: codec } = methods as unknown as { ServerReflectionInfo: Method };
        const call = client.makeBidiStreamRequest(path, codec.requestSerialize, codec.responseDeserialize);
        call.write({ listServices: '' });
        call.write({ fileContainingSymbol: 'fraisier.v1.Control' });
        call.end();
        const answers: string[] = [];
        for await (const answer of call) answers.push(JSON.stringify(answer));
        expect(answers).to.have.lengthOf(2);
        expect(answers[0]).to.contain('fraisier.v1.Control').and.to.contain('fraisier.v1.Enrollment');
        expect(answers[1]).to.contain('fileDescriptorResponse').and.not.to.contain('errorCode');
      }));

    it(`refuses what is no question (${version})`, () =>
      withClient(async (client) => {
        const same = (bytes: Buffer): Buffer => bytes;
        const call = client.makeBidiStreamRequest(path, same, same);
        const failed = new Promise<{ code?: number }>((resolve) => call.on('error', resolve));
        call.resume();
        call.write(Buffer.from([0xff, 0xff]));
        expect((await failed).code).to.equal(status.INVALID_ARGUMENT);
      }));
  }

  async function withClient(work: (client: Client) => Promise<void>): Promise<void> {
    await withCallers(async ({ authority, address }) => {
      const tls = credentials.createSsl(Buffer.from(authority.certificatePem));
      const client = new Client(`localhost:${address.split(':')[1]}`, tls);
      try {
        await work(client);
      } finally {
        client.close();
      }
    });
  }
});
