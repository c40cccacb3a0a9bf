import {
  requestDeployment,
  type DeploymentRequest,
} from '../../controller/deployments/request-deployment.js';
import { requestRollback } from '../../controller/deployments/request-rollback.js';
import { retryDeployment } from '../../controller/deployments/retry-deployment.js';
import { lockFraise, unlockFraise } from '../../controller/deployments/lock-fraise.js';
import { answerForHosts } from '../../controller/deployments/answer-for-hosts.js';
import { cancelDeployment, continueDeployment } from '../../controller/deployments/steer-deployment.js';
import type { Actor } from '../../controller/deployments/edges.js';
import { deploymentHasEnded } from '../../controller/deployments/lifecycle.js';
import { FraisierError } from '../../proto/error-codes.js';
import { askControllers, type Act } from './ask-controllers.js';
import type { Chronicle } from './chronicle.js';
import type { Cluster } from './cluster.js';
import { deliverPush } from './git-host.js';
import type { Acknowledged } from './invariants/acknowledged.js';
import { locksInForce, type LedgerState } from './ledger-state.js';
import { isOutage } from './outage.js';
import type { Random } from './random.js';
import type { Schedule } from './schedule.js';
import type { Pair } from './software.js';
import type { World } from './world.js';

/** How often nobody does anything for some minutes: then what the controllers do by themselves comes about. */
const BREAKS = 0.06;

const RETRIED: readonly string[] = ['failed', 'rolled_back', 'rollback_failed'];

const ANA: Actor = { name: 'ana', role: 'admin' };

export interface PeopleParts {
  readonly schedule: Schedule;
  readonly random: Random;
  readonly world: World;
  readonly cluster: Cluster;
  readonly chronicle: Chronicle;
  readonly acknowledged: Acknowledged;
}

/** Those who push, deploy, cancel, continue, roll back, lock and unlock, each at any controller, and ask again when it fails. */
export class People {
  readonly #parts: PeopleParts;
  readonly #random: Random;
  #asked = 0;
  #left = false;

  constructor(parts: PeopleParts) {
    this.#parts = parts;
    this.#random = parts.random.fork('people');
  }

  /** So many acts apart on average, until they leave. */
  begin(meanPauseMs: number): void {
    const next = (): void => {
      if (this.#left) return;
      this.#act();
      const isBreak = this.#random.chance(BREAKS);
      this.#parts.schedule.after(this.#random.pause(meanPauseMs) * (isBreak ? 8 : 1), next);
    };
    this.#parts.schedule.after(this.#random.pause(meanPauseMs / 4), next);
  }

  leave(): void {
    this.#left = true;
  }

  #act(): void {
    const pair = this.#random.pick(this.#parts.world.pairs);
    const dice = this.#random.next();
    if (dice < 0.38) this.#push(pair);
    else if (dice < 0.6) this.#deploy(pair);
    else if (dice < 0.66) this.#cancel();
    else if (dice < 0.84) this.#answerPaused();
    else if (dice < 0.91) this.#rollBack(pair);
    else if (dice < 0.95) this.#retry();
    else this.#lockOrUnlock(pair);
  }

  #push({ fraise, environment }: Pair): void {
    const repository = this.#parts.world.software.repositories.find(({ name }) => name === fraise);
    if (repository === undefined) return;
    const pushed = {
      repository,
      branch: environment === 'production' ? 'main' : 'develop',
      commit: repository.commit(),
    };
    const number = (this.#asked += 1);
    this.#ask(
      `push ${pushed.commit.sha.slice(0, 8)} to ${pushed.branch} of ${fraise}`,
      async ({ receiver }) => {
        const received = await deliverPush(receiver, pushed, number, new Date(this.#parts.schedule.nowMs));
        this.#parts.acknowledged.promised(received.webhookId, 'deliveries');
        if ('deployments' in received)
          for (const id of received.deployments) this.#parts.acknowledged.promised(id, 'deployments');
        return received.status;
      },
    );
  }

  #deploy({ fraise, environment }: Pair): void {
    const request: DeploymentRequest = {
      fraise,
      environment,
      commit: this.#random.chance(0.2) ? this.#olderCommit(fraise) : null,
      branch: null,
      force: this.#random.chance(0.3),
      hosts: this.#someHosts(),
      skipUnreachable: this.#random.chance(this.#isAnyAway() ? 0.8 : 0.3),
      trigger: 'cli',
      requestId: `request-${(this.#asked += 1)}`,
    };
    this.#ask(`deploy ${fraise} ${environment}`, async ({ edges }) => {
      const { id } = await requestDeployment(edges, request, ANA);
      this.#parts.acknowledged.promised(id, 'deployments');
      return id;
    });
  }

  /** People see who is away before they deploy. */
  #isAnyAway(): boolean {
    const now = this.#parts.cluster.now();
    return this.#state().agents.some(
      ({ leaseExpiresAt }) => leaseExpiresAt === null || leaseExpiresAt <= now,
    );
  }

  #someHosts(): readonly string[] {
    const { hosts } = this.#parts.world;
    return this.#random.chance(0.15) ? [this.#random.pick(hosts)] : [];
  }

  #olderCommit(fraise: string): string | null {
    const repository = this.#parts.world.software.repositories.find(({ name }) => name === fraise);
    return repository === undefined ? null : this.#random.pick(repository.all).sha;
  }

  #rollBack({ fraise, environment }: Pair): void {
    const requestId = `request-${(this.#asked += 1)}`;
    const request = {
      fraise,
      environment,
      to: '',
      codeOnly: this.#random.chance(0.2),
      trigger: 'cli' as const,
      requestId,
      skipUnreachable: this.#random.chance(0.3),
    };
    this.#ask(`roll back ${fraise} ${environment}`, async ({ edges }) => {
      const { id } = await requestRollback(edges, request, ANA);
      this.#parts.acknowledged.promised(id, 'deployments');
      return id;
    });
  }

  #retry(): void {
    const failed = this.#state().deployments.filter(({ status }) => RETRIED.includes(status));
    if (failed.length === 0) return;
    const { id, plan } = this.#random.pick(failed);
    const named = this.#random.pick(plan?.hosts ?? [])?.host;
    const hosts = named !== undefined && this.#random.chance(0.4) ? [named] : [];
    const requestId = `request-${(this.#asked += 1)}`;
    this.#ask(`retry ${id}`, async ({ edges }) => {
      const made = await retryDeployment(edges, { id, hosts, trigger: 'cli', requestId }, ANA);
      this.#parts.acknowledged.promised(made.id, 'deployments');
      return made.id;
    });
  }

  #cancel(): void {
    const open = this.#state().deployments.filter(({ status }) => !deploymentHasEnded(status));
    if (open.length === 0) return;
    const { id } = this.#random.pick(open);
    this.#ask(`cancel ${id}`, async ({ edges }) => (await cancelDeployment(edges, id, ANA)).status);
  }

  /** Somebody looks at the database, and lets it go on or gives it up. */
  #answerPaused(): void {
    const paused = this.#state().deployments.filter(({ status }) => status === 'paused');
    if (paused.length === 0) return;
    const { id, plan } = this.#random.pick(paused);
    const act = this.#random.pick(['skip', 'retry'] as const);
    const host = this.#random.pick(plan?.hosts ?? [])?.host;
    if (host !== undefined && this.#random.chance(0.4))
      this.#ask(
        `${act} ${host} of ${id}`,
        async ({ edges }) => (await answerForHosts(edges, id, { act, hosts: [host] }, ANA)).status,
      );
    else if (this.#random.chance(0.7))
      this.#ask(`continue ${id}`, async ({ edges }) => (await continueDeployment(edges, id, ANA)).status);
    else this.#ask(`cancel ${id}`, async ({ edges }) => (await cancelDeployment(edges, id, ANA)).status);
  }

  #lockOrUnlock(pair: Pair): void {
    const held = locksInForce(this.#state(), this.#parts.cluster.now());
    if (held.length > 0) {
      const one = this.#random.pick(held);
      return this.#ask(`unlock ${one.fraise}`, async ({ edges }) => (await unlockFraise(edges, one, ANA)).id);
    }
    const forMs = this.#random.whole(30_000, 300_000);
    this.#ask(
      `lock ${pair.fraise}`,
      async ({ edges }) => (await lockFraise(edges, { ...pair, reason: 'why not', forMs }, ANA)).id,
    );
  }

  #state(): LedgerState {
    return this.#parts.cluster.database.memory.state();
  }

  /** Asks any controller, and after an outage another one, a few times: whether it was done the first time is not known. */
  #ask(what: string, act: Act): void {
    const { chronicle } = this.#parts;
    const said = `${what} (${(this.#asked += 1)})`;
    chronicle.tell('people', said);
    askControllers({ ...this.#parts, random: this.#random }, act, 4).then(
      (answer) => chronicle.tell('people', `${said}: ${answer}`),
      (error: unknown) => {
        chronicle.tell('people', `${said}: ${error instanceof Error ? error.message : String(error)}`);
        if (!isOutage(error) && !(error instanceof FraisierError && error.reason.code !== 'internal'))
          chronicle.fault(`${said}: ${String(error)}`, error);
      },
    );
  }
}
