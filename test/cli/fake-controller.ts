import { randomBytes } from 'node:crypto';
import { Server, ServerCredentials, status as GrpcStatus } from '@grpc/grpc-js';
import type {
  handleServerStreamingCall,
  handleUnaryCall,
  Metadata,
  ServerWritableStream,
} from '@grpc/grpc-js';
import { FraisierError, reason } from '../../proto/error-codes.js';
import {
  ControlService,
  type ControlServer,
  type Deployment,
  type LogLine,
  type LogsRequest,
  type RequestDeploymentRequest,
  type RetryRequest,
  type RollbackRequest,
  type SkipRequest,
  type WatchEvent,
  type WatchRequest,
} from '../../proto/gen/fraisier/v1/control.js';
import { PROTOCOL_METADATA, toServiceError } from '../../proto/grpc-errors.js';
import { PROTOCOL_VERSION } from '../../proto/protocol-version.js';
import { newToken } from '../../proto/tokens.js';
import type { CertificateAuthority } from '../../controller/pki/certificate-authority.js';
import { anAuthority } from '../controller/pki/support.js';
import * as answers from './fake-answers.js';
import { aDeployment } from './samples.js';

/** What happens to a deployment of the fake: the events a watcher hears, and how it stands after them. */
export interface Story {
  readonly events: readonly WatchEvent[];
  readonly end: Partial<Deployment>;
  /** Cuts the watcher's stream after the event with this number, once. */
  readonly cutAfter?: number;
  /** Keeps the stream open after the last event. */
  readonly goesOn?: boolean;
}

const CUT = { code: GrpcStatus.UNAVAILABLE, details: 'Connection dropped' };

/** A controller with memory and manners, and without hosts: a real gRPC server, over TLS and over a unix socket. */
export class FakeController {
  readonly token: string;
  readonly viewerToken: string;
  readonly authority: CertificateAuthority;
  /** Every request for a deployment that arrived, repeats included. */
  readonly requests: RequestDeploymentRequest[] = [];
  /** Every request of any other method, by its name. */
  readonly heard: { readonly method: string; readonly request: unknown }[] = [];
  readonly stories = new Map<string, Story>();
  logs: readonly LogLine[] = [];
  cutLogsAfter: number | undefined;
  /** This many answers to RequestDeployment are lost on the way. */
  answersToLose = 0;
  /** Accepts no protocol but this one. */
  speaks = PROTOCOL_VERSION;
  private readonly deployments = new Map<string, { deployment: Deployment; requestId: string }>();
  private servers: Server[] = [];
  port = 0;

  private constructor(authority: CertificateAuthority) {
    this.authority = authority;
    this.token = newToken('api', authority.fingerprint, randomBytes);
    this.viewerToken = newToken('api', authority.fingerprint, randomBytes);
  }

  static async start(socket: string): Promise<FakeController> {
    const fake = new FakeController(await anAuthority());
    await fake.listen(0);
    await fake.listenOnSocket(socket);
    return fake;
  }

  get address(): string {
    return `localhost:${this.port}`;
  }

  /** Stops at once: connections are cut. `listen(port)` brings it back where it was. */
  stop(): void {
    for (const server of this.servers) server.forceShutdown();
    this.servers = [];
  }

  async listen(port: number): Promise<void> {
    const { privateKeyPem, chainPem } = await this.authority.issueServer(
      ['localhost', '127.0.0.1'],
      new Date(),
    );
    const pair = { private_key: Buffer.from(privateKeyPem), cert_chain: Buffer.from(chainPem) };
    const credentials = ServerCredentials.createSsl(null, [pair], false);
    this.port = await this.bind(`127.0.0.1:${port}`, credentials, (metadata) => this.roleOf(metadata));
  }

  listenOnSocket(path: string): Promise<number> {
    return this.bind(`unix:${path}`, ServerCredentials.createInsecure(), () => 'admin');
  }

  private bind(
    address: string,
    credentials: ServerCredentials,
    role: (metadata: Metadata) => string,
  ): Promise<number> {
    const server = new Server();
    server.addService(ControlService, this.service(role));
    this.servers.push(server);
    return new Promise((resolve, reject) =>
      server.bindAsync(address, credentials, (error, port) =>
        error === null ? resolve(port) : reject(error),
      ),
    );
  }

  private roleOf(metadata: Metadata): string {
    const [header] = metadata.get('authorization');
    if (header === `Bearer ${this.token}`) return 'admin';
    if (header === `Bearer ${this.viewerToken}`) return 'viewer';
    throw new FraisierError('unauthenticated', 'this controller does not know this token');
  }

  private service(role: (metadata: Metadata) => string): ControlServer {
    const unary = <Q, A>(
      method: string,
      wanted: string,
      answer: (request: Q, role: string) => A,
    ): handleUnaryCall<Q, A> => {
      return (call, callback) => {
        try {
          this.checkProtocol(call.metadata);
          const has = role(call.metadata);
          if (wanted === 'admin' && has !== 'admin') {
            throw new FraisierError('not_allowed', `bob is ${has}; this needs the role ${wanted}`);
          }
          this.heard.push({ method, request: call.request });
          callback(null, answer(call.request, has));
        } catch (error) {
          callback(
            error instanceof FraisierError
              ? toServiceError(error)
              : { code: GrpcStatus.UNAVAILABLE, details: String(error) },
          );
        }
      };
    };
    return {
      whoAmI: unary('whoAmI', 'viewer', (_request, has) => answers.whoAmI(has)),
      applyConfiguration: unary('applyConfiguration', 'admin', answers.applyConfiguration),
      listFraises: unary('listFraises', 'viewer', answers.listFraises),
      requestDeployment: unary('requestDeployment', 'admin', (request: RequestDeploymentRequest) =>
        this.request(request),
      ),
      previewDeployment: unary('previewDeployment', 'viewer', answers.previewDeployment),
      cancelDeployment: unary('cancelDeployment', 'admin', ({ id }: { id: string }) => this.steerable(id)),
      continueDeployment: unary('continueDeployment', 'admin', ({ id }: { id: string }) =>
        this.steerable(id),
      ),
      skipHosts: unary('skipHosts', 'admin', ({ deploymentId }: SkipRequest) => this.steerable(deploymentId)),
      retryDeployment: unary('retryDeployment', 'admin', (request: RetryRequest) => this.retry(request)),
      requestRollback: unary('requestRollback', 'admin', (request: RollbackRequest) =>
        this.rollback(request),
      ),
      previewRollback: unary('previewRollback', 'viewer', answers.previewRollback),
      lockFraise: unary('lockFraise', 'admin', answers.lockFraise),
      unlockFraise: unary('unlockFraise', 'admin', answers.unlockFraise),
      listLocks: unary('listLocks', 'viewer', answers.listLocks),
      getDeployment: unary('getDeployment', 'viewer', ({ id }: { id: string }) => this.known(id)),
      explain: unary('explain', 'viewer', answers.explain),
      listDeployments: unary('listDeployments', 'viewer', answers.listDeployments),
      getStatus: unary('getStatus', 'viewer', answers.getStatus),
      getStats: unary('getStats', 'viewer', answers.getStats),
      listWebhooks: unary('listWebhooks', 'viewer', answers.listWebhooks),
      getWebhook: unary('getWebhook', 'viewer', answers.getWebhook),
      replayWebhook: unary('replayWebhook', 'admin', answers.replayWebhook),
      setupWebhook: unary('setupWebhook', 'viewer', answers.setupWebhook),
      listAgents: unary('listAgents', 'viewer', answers.listAgents),
      createJoinToken: unary('createJoinToken', 'admin', answers.createJoinToken),
      revokeAgent: unary('revokeAgent', 'admin', answers.revokeAgent),
      watch: this.watch(),
      logs: this.streamLogs(),
    };
  }

  private checkProtocol(metadata: Metadata): void {
    const said = Number(metadata.get(PROTOCOL_METADATA)[0]);
    if (said === this.speaks) return;
    const message = `the command line speaks protocol ${said}, this controller at least ${this.speaks}: upgrade the command line`;
    throw new FraisierError('protocol_mismatch', message);
  }

  private request(request: RequestDeploymentRequest): Deployment {
    this.requests.push(request);
    const story = this.stories.get(request.fraise);
    if (request.fraise === 'frozen')
      throw new FraisierError('locked', 'ann holds checkout → production', { hint: 'fraisier locks' });
    if (story === undefined)
      throw new FraisierError('unknown_fraise', `there is no fraise ${request.fraise}`);
    const known = [...this.deployments.values()].find(({ requestId }) => requestId === request.requestId);
    const deployment = known?.deployment ?? this.queue(request);
    if (this.answersToLose > 0) {
      this.answersToLose -= 1;
      throw new Error('Connection dropped');
    }
    return { ...deployment, status: 'queued', durationMs: undefined };
  }

  private retry({ deploymentId, ...request }: RetryRequest): Deployment {
    const { fraise, environment } = this.known(deploymentId);
    const wanted = { ...request, fraise, environment, commit: '', branch: '' };
    return this.request({ ...wanted, force: false, skipUnreachable: false });
  }

  private rollback(request: RollbackRequest): Deployment {
    if (request.to === 'd_none')
      throw new FraisierError('no_rollback_target', 'there is no good release before the one that is live');
    const asked = { ...request, commit: '', branch: '', force: false, hosts: [] };
    return this.request(asked);
  }

  private queue({ fraise, environment, requestId }: RequestDeploymentRequest): Deployment {
    const id = `d_${fraise}_${this.deployments.size + 1}`;
    const deployment = aDeployment({ id, fraise, environment, ...this.stories.get(fraise)?.end });
    this.deployments.set(id, { deployment, requestId });
    return deployment;
  }

  /** Puts a deployment of this story on record, as if somebody had asked for it. */
  record(fraise: string): string {
    return this.queue({
      fraise,
      environment: 'production',
      commit: '',
      branch: '',
      force: false,
      hosts: [],
      skipUnreachable: false,
      trigger: 'api',
      requestId: '',
    }).id;
  }

  /** Lets the deployment stand as its story ends. */
  settle(id: string): void {
    const { deployment, requestId } = this.deployments.get(id) ?? {
      deployment: this.known(id),
      requestId: '',
    };
    const end = aDeployment({ id, fraise: deployment.fraise, ...this.stories.get(deployment.fraise)?.end });
    this.deployments.set(id, { deployment: end, requestId });
  }

  private known(id: string): Deployment {
    const found = this.deployments.get(id)?.deployment;
    if (found === undefined) throw new FraisierError('unknown_deployment', `there is no deployment ${id}`);
    return found;
  }

  private steerable(id: string): Deployment {
    const deployment = this.known(id);
    if (deployment.status !== 'unchanged') return deployment;
    throw new FraisierError('not_steerable', `${id} has ended: unchanged`, { hint: `fraisier show ${id}` });
  }

  private watch(): handleServerStreamingCall<WatchRequest, WatchEvent> {
    const cut = new Set<string>();
    return (call) => {
      const { deploymentId: id, after } = call.request;
      const deployment = this.known(id);
      const story = this.stories.get(deployment.fraise);
      call.write({
        number: after,
        at: deployment.createdAt,
        event: {
          $case: 'deployment',
          value: { ...deployment, ...(story?.events[0]?.event?.value as Partial<Deployment>) },
        },
      });
      for (const event of story?.events ?? []) {
        if (event.number <= after) continue;
        call.write(event);
        if (event.number === story?.cutAfter && !cut.has(id)) {
          cut.add(id);
          fail(call, CUT);
          return;
        }
      }
      if (story?.goesOn !== true) call.end();
    };
  }

  private streamLogs(): handleServerStreamingCall<LogsRequest, LogLine> {
    return (call) => {
      for (const [index, line] of this.logs.entries()) {
        if (index === this.cutLogsAfter) {
          this.cutLogsAfter = undefined;
          fail(call, CUT);
          return;
        }
        call.write(line);
      }
      call.end();
    };
  }
}

function fail<Q, A>(
  call: ServerWritableStream<Q, A>,
  error: { readonly code: GrpcStatus; readonly details: string },
): void {
  call.emit('error', error);
}

export const PAUSED = reason('paused', 'the migration on web-1 was interrupted', {
  hint: 'fraisier continue d_x',
});
