import { RunEvent } from '../../proto/gen/fraisier/v1/agent.js';
import type { Waking } from '../../controller/deployments/edges.js';
import type { Ledger } from '../../controller/deployments/ledger.js';
import type { AgentRow, JoinTokenRow } from '../../controller/deployments/ledger/agent.js';
import type { ConfigurationRevision } from '../../controller/deployments/ledger/configuration.js';
import type {
  BranchToCheck,
  DeliveryRow,
  NewDelivery,
} from '../../controller/deployments/ledger/delivery.js';
import type {
  DeploymentChange,
  DeploymentRow,
  InQueue,
} from '../../controller/deployments/ledger/deployment.js';
import type { LockRow } from '../../controller/deployments/ledger/lock.js';
import type {
  AuditEntry,
  Claim,
  NotificationRow,
  WakeTopic,
} from '../../controller/deployments/ledger/outbox.js';
import type { QuestionRow } from '../../controller/deployments/ledger/question.js';
import type { NewLogChunk, ReportedRun, StoredEvent } from '../../controller/deployments/ledger/report.js';
import type { RunChange, RunRow } from '../../controller/deployments/ledger/run.js';
import {
  ACTIVE_STATUSES,
  deploymentHasEnded,
  type NotificationOutcome,
  mayMoveDeployment,
  mayMoveRun,
  runHasEnded,
} from '../../controller/deployments/lifecycle.js';
import { illegalMove, refusedBy } from '../../controller/db/refusals.js';

interface State {
  configurations: ConfigurationRevision[];
  deployments: DeploymentRow[];
  runs: RunRow[];
  events: StoredEvent[];
  logs: NewLogChunk[];
  agents: AgentRow[];
  joinTokens: JoinTokenRow[];
  locks: (LockRow & { readonly releasedBy: string | null })[];
  deliveries: Omit<DeliveryRow, 'deployments'>[];
  questions: QuestionRow[];
  /** Of pending deliveries, the newest first. */
  asked: { readonly id: string; readonly until: Date }[];
  branches: (BranchToCheck & { readonly commit: string; readonly nextAt: Date })[];
  audit: AuditEntry[];
  outbox: MemoryNotification[];
}

export interface MemoryNotification extends NotificationRow {
  readonly dueAt: Date;
  readonly claimedUntil: Date | null;
  readonly outcome: NotificationOutcome | null;
  readonly lastError: string | null;
}

/** What a test may look at beside the port. */
export interface MemoryLedger {
  readonly ledger: Ledger;
  readonly waking: Waking;
  readonly state: () => Readonly<State>;
}

/**
 * The ledger in memory, under the same contract suite as PostgreSQL. Rows are replaced, never changed, so a transaction
 * works on lists of its own, which become the committed ones when it ends well. Transactions run one after the other,
 * which is what row locks come to; within one, only its `tx` may be used, or it waits for itself for ever. `now` is the
 * clock handed in.
 */
export function memoryLedger(now: () => Date): MemoryLedger {
  let committed = emptyState();
  let last: Promise<unknown> = Promise.resolve();
  const listeners = new Set<(topic: WakeTopic) => void>();
  const free: Desk[] = [];

  const transaction = <T>(work: (tx: Ledger) => Promise<T>): Promise<T> => {
    const turn = last.then(async () => {
      const desk = free.pop() ?? newDesk(now);
      desk.draft.begin(committed);
      const result = await work(desk.tx);
      committed = { ...desk.draft.state };
      const wakes = [...desk.wakes.values()];
      queueMicrotask(() => wakes.forEach((topic) => listeners.forEach((listener) => listener(topic))));
      desk.wakes.clear();
      // Whose work did not end well may go on with it, behind everybody's back.
      free.push(desk);
      return result;
    });
    last = turn.catch(() => undefined);
    return turn;
  };

  const subscribe = (listener: (topic: WakeTopic) => void) => {
    const own = (topic: WakeTopic) => listener(topic);
    listeners.add(own);
    return () => listeners.delete(own);
  };
  return { ledger: eachItsOwn(transaction), waking: { subscribe }, state: () => committed };
}

/** The port as it is outside of transactions: every call is one of its own. */
function eachItsOwn(transaction: Ledger['transaction']): Ledger {
  type Call = (...args: unknown[]) => Promise<unknown>;
  const names = Object.keys(newDesk(() => new Date(0)).tx) as (keyof Ledger)[];
  const calls = names.map((name): [string, Call] => [
    name,
    (...args) => transaction((tx) => (tx[name] as Call)(...args)),
  ]);
  return { ...(Object.fromEntries(calls) as unknown as Ledger), transaction };
}

/** Where one transaction after the other is worked on: a ledger of so many functions costs more than what most of them do. */
interface Desk {
  readonly draft: Draft;
  readonly wakes: Map<string, WakeTopic>;
  readonly tx: Ledger;
}

function newDesk(now: () => Date): Desk {
  const draft = new Draft();
  const wakes = new Map<string, WakeTopic>();
  return { draft, wakes, tx: bind(draft, now, wakes) };
}

/** A state to write in: a list is copied when it is first written. */
class Draft {
  readonly state = emptyState();
  readonly #own = new Set<keyof State>();

  begin(from: State): void {
    Object.assign(this.state, from);
    this.#own.clear();
  }

  write<K extends keyof State>(name: K): State[K] {
    if (!this.#own.has(name)) {
      this.state[name] = [...this.state[name]] as State[K];
      this.#own.add(name);
    }
    return this.state[name];
  }

  /** Replaces the one row that matches; false when there is none. */
  replace<K extends keyof State>(
    name: K,
    match: (row: State[K][number]) => boolean,
    change: (row: State[K][number]) => State[K][number],
  ): boolean {
    const rows: State[K][number][] = this.state[name];
    const index = rows.findIndex(match);
    const row = rows[index];
    if (row === undefined) return false;
    (this.write(name) as State[K][number][])[index] = change(row);
    return true;
  }
}

function emptyState(): State {
  return {
    configurations: [],
    deployments: [],
    runs: [],
    events: [],
    logs: [],
    agents: [],
    joinTokens: [],
    locks: [],
    deliveries: [],
    questions: [],
    asked: [],
    branches: [],
    audit: [],
    outbox: [],
  };
}

function bind(draft: Draft, now: () => Date, wakes: Map<string, WakeTopic>): Ledger {
  const { state } = draft;
  const find = <T>(rows: readonly T[], match: (row: T) => boolean): Promise<T | null> =>
    Promise.resolve(rows.find(match) ?? null);
  const delivered = (row: Omit<DeliveryRow, 'deployments'>): DeliveryRow => ({
    ...row,
    deployments: state.deployments.filter((one) => one.webhookId === row.id).map((one) => one.id),
  });
  const insertDelivery = (delivery: NewDelivery, claimed: boolean): DeliveryRow => {
    const row = { replayedBy: null, fraises: [], ...delivery, claimed, receivedAt: now() };
    draft.write('deliveries').push(row);
    return delivered(row);
  };
  const claimant = (provider: string, id: string) =>
    state.deliveries.find((row) => row.claimed && row.provider === provider && row.deliveryId === id);
  const claimDelivery = (delivery: NewDelivery): DeliveryRow | null =>
    claimant(delivery.provider, delivery.deliveryId) === undefined ? insertDelivery(delivery, true) : null;
  /** Of a replay, of the one it is of. */
  const receivedAt = (id: string | null): Date | null => {
    const row = state.deliveries.find((one) => one.id === id);
    if (row === undefined) return null;
    return (row.replayedBy === null ? null : receivedAt(row.originalId)) ?? row.receivedAt;
  };
  const inQueue = (deployment: DeploymentRow): InQueue => ({
    deployment,
    receivedAt: receivedAt(deployment.webhookId),
  });
  /** Who holds a lease that has run out holds nothing. */
  const seen = (row: AgentRow): AgentRow =>
    row.leaseExpiresAt !== null && row.leaseExpiresAt > now() ? row : { ...row, controllerId: null };
  const agentIs = (name: string) => (row: AgentRow) => row.name === name;
  const lockedNow = (fraise: string, environment: string) => (row: State['locks'][number]) =>
    row.fraise === fraise && row.environment === environment && inForce(row, now());
  const holds = (name: string, epoch: number) => (row: AgentRow) =>
    row.name === name && row.epoch === epoch && row.revokedAt === null;

  const tx: Ledger = {
    transaction: (work) => work(tx),
    now: () => Promise.resolve(now()),

    async currentConfiguration(above = 0) {
      const newest = state.configurations.at(-1);
      return newest !== undefined && newest.revision > above ? newest : null;
    },
    configurationRevision: (revision) => find(state.configurations, (row) => row.revision === revision),
    async insertConfiguration(revision) {
      const row = { ...revision, revision: state.configurations.length + 1, appliedAt: now() };
      draft.write('configurations').push(row);
      return row;
    },

    holdFraise: () => Promise.resolve(),
    async insertDeployment(deployment) {
      if (
        deployment.requestId !== null &&
        state.deployments.some((row) => row.requestId === deployment.requestId)
      ) {
        throw refusedBy('tb_deployment_request_id_key');
      }
      const row: DeploymentRow = {
        ...deployment,
        status: 'queued',
        reason: null,
        plan: null,
        oldVersion: null,
        newVersion: null,
        cancelRequestedBy: null,
        continueRequestedBy: null,
        skipUnreachable: deployment.skipUnreachable ?? false,
        answers: [],
        createdAt: now(),
        startedAt: null,
        continuedAt: null,
        finishedAt: null,
        lastNumber: 0,
        changedNumber: 0,
        changedAt: now(),
      };
      draft.write('deployments').push(row);
      return row;
    },
    deployment: (id) => find(state.deployments, (row) => row.id === id),
    deployments: (ids) => Promise.resolve(state.deployments.filter((row) => ids.includes(row.id))),
    deploymentByRequest: (requestId) => find(state.deployments, (row) => row.requestId === requestId),
    holdDeployment: (id) => find(state.deployments, (row) => row.id === id),
    async moveDeployment(id, from, to, change = {}) {
      if (from !== to && !mayMoveDeployment(from, to)) throw illegalMove('deployment', id, from, to);
      const mine = state.deployments.find((row) => row.id === id && row.status === from);
      if (mine !== undefined && isActive(to) && state.deployments.some(activeBeside(mine))) {
        throw refusedBy('one_active_deployment');
      }
      return draft.replace(
        'deployments',
        (row) => row.id === id && row.status === from,
        (row) => ({
          ...row,
          ...changed(change),
          status: to,
          lastNumber: row.lastNumber + 1,
          changedNumber: row.lastNumber + 1,
          changedAt: now(),
        }),
      );
    },
    unfinishedDeployments: (where) =>
      Promise.resolve(
        state.deployments.filter(
          (row) =>
            !deploymentHasEnded(row.status) &&
            (where === undefined || (row.fraise === where.fraise && row.environment === where.environment)),
        ),
      ),
    async lastSucceeded(fraise, environment) {
      const mine = state.deployments.filter(
        (row) => row.fraise === fraise && row.environment === environment,
      );
      return (
        mine
          .filter(madeLive)
          .sort((a, b) => Number(a.finishedAt) - Number(b.finishedAt))
          .at(-1) ?? null
      );
    },
    holdQueues: (pairs) =>
      Promise.all(
        pairs.map(async (pair) => {
          const live = await tx.lastSucceeded(pair.fraise, pair.environment);
          const unfinished = (await tx.unfinishedDeployments(pair)).map(inQueue);
          return { ...pair, unfinished, live: live === null ? null : inQueue(live) };
        }),
      ),
    async writeQueues(inserted, superseded) {
      for (const one of inserted) await tx.insertDeployment(one);
      for (const { id, reason } of superseded)
        await tx.moveDeployment(id, 'queued', 'superseded', { reason, finished: true });
    },
    async endedDeployments(fraise, environment, limit) {
      return state.deployments
        .filter((row) => row.fraise === fraise && row.environment === environment)
        .filter((row) => row.startedAt !== null && row.finishedAt !== null)
        .sort((a, b) => Number(a.finishedAt) - Number(b.finishedAt))
        .reverse()
        .slice(0, limit);
    },

    async insertLock({ forMs, ...lock }) {
      if (state.locks.some(lockedNow(lock.fraise, lock.environment))) return null;
      const expiresAt = forMs === null ? null : later(now(), forMs);
      const row: LockRow = { ...lock, lockedAt: now(), expiresAt };
      draft.write('locks').push({ ...row, releasedBy: null });
      return row;
    },
    async lockOn(fraise, environment) {
      const row = state.locks.find(lockedNow(fraise, environment));
      return row === undefined ? null : shownLock(row);
    },
    async locks() {
      const rows = state.locks.filter((row) => inForce(row, now())).map(shownLock);
      const key = ({ fraise, environment }: LockRow) => `${fraise} ${environment}`;
      return rows.sort((a, b) => (key(a) < key(b) ? -1 : 1));
    },
    async releaseLock(fraise, environment, by) {
      const row = state.locks.find(lockedNow(fraise, environment));
      if (row === undefined) return null;
      draft.replace(
        'locks',
        (one) => one.id === row.id,
        (one) => ({ ...one, releasedBy: by }),
      );
      return shownLock(row);
    },

    async insertRun(run) {
      const same = (row: RunRow) =>
        row.deploymentId === run.deploymentId &&
        row.host === run.host &&
        row.phase === run.phase &&
        row.attempt === run.attempt;
      if (!state.deployments.some((row) => row.id === run.deploymentId))
        throw new Error('the run is of no deployment');
      if (state.runs.some(same)) throw refusedBy('one_run_per_attempt');
      const row: RunRow = {
        ...run,
        status: 'pending',
        reason: null,
        lastSeq: 0,
        cancelReason: null,
        cancelAskedAt: null,
        currentStep: null,
        previousRelease: null,
        previousProvenGood: null,
        migration: null,
        liveRelease: null,
        settled: false,
        unhealthy: false,
        createdAt: now(),
        dispatchedAt: null,
        startedAt: null,
        finishedAt: null,
      };
      draft.write('runs').push(row);
      return row;
    },
    run: (id) => find(state.runs, (row) => row.id === id),
    holdReported: (reports) => {
      const runs = state.runs.filter((row) =>
        reports.some(({ agent, runIds }) => row.host === agent && runIds.includes(row.id)),
      );
      const hosts = new Set(runs.map((run) => run.host));
      const leased = reports
        .filter(({ agent }) => hosts.has(agent))
        .flatMap(({ agent, epoch }) => state.agents.filter(holds(agent, epoch)));
      return Promise.resolve({ runs, leased: new Map(leased.map((row) => [row.name, row])), now: now() });
    },
    async dispatchPending(streams) {
      const leased = new Map(
        streams
          .filter(({ agent, epoch }) => state.agents.some(holds(agent, epoch)))
          .map(({ agent, epoch }) => [agent, epoch]),
      );
      for (const { id } of state.runs.filter((row) => row.status === 'pending' && leased.has(row.host)))
        draft.replace(
          'runs',
          (row) => row.id === id,
          (row) => ({ ...row, status: 'dispatched', dispatchedAt: now() }),
        );
      const isOpen = ({ status }: RunRow) => status === 'dispatched' || status === 'running';
      return { runs: state.runs.filter((row) => isOpen(row) && leased.has(row.host)), leased };
    },
    runsOf: (deploymentId) => Promise.resolve(state.runs.filter((row) => row.deploymentId === deploymentId)),
    openRunsOnHost: (host) =>
      Promise.resolve(state.runs.filter((row) => row.host === host && !runHasEnded(row.status))),
    hasWork: (host, epoch) =>
      Promise.resolve(
        state.runs.some((row) => row.host === host && !runHasEnded(row.status)) ||
          state.questions.some((row) => row.host === host && row.answer === null && row.expiresAt > now()) ||
          !state.agents.some(holds(host, epoch)),
      ),
    async moveRun(id, from, to, change = {}) {
      if (from !== to && !mayMoveRun(from, to)) throw illegalMove('run', id, from, to);
      return draft.replace(
        'runs',
        (row) => row.id === id && row.status === from,
        (row) => ({ ...row, ...changed(change), status: to }),
      );
    },

    async writeReported({ deploymentId, events, runs }) {
      for (const event of events) {
        const run = state.runs.find((row) => row.id === event.runId);
        const deployment = state.deployments.find((row) => row.id === deploymentId);
        if (run === undefined || deployment === undefined)
          throw new Error(`run ${event.runId} is of no deployment`);
        if (storedEvent(event) !== undefined) throw new Error('there is an event of this number');
        const number = deployment.lastNumber + 1;
        draft.replace(
          'deployments',
          (row) => row.id === deploymentId,
          (row) => ({ ...row, lastNumber: number }),
        );
        draft.write('events').push({ number, runId: run.id, host: run.host, phase: run.phase, event });
      }
      for (const run of runs) {
        const moved = draft.replace(
          'runs',
          (row) => row.id === run.id && row.status === run.from,
          (row) => reported(row, run),
        );
        if (!moved) throw new Error(`a run of ${deploymentId} moved while it was held`);
      }
    },
    knowsEvent: (event) => {
      const stored = storedEvent(event);
      return Promise.resolve(stored !== undefined && sameBytes(stored.event, event));
    },
    async eventsOf(deploymentId, after, limit) {
      const mine = new Set(
        state.runs.filter((row) => row.deploymentId === deploymentId).map((row) => row.id),
      );
      return state.events.filter((row) => mine.has(row.runId) && row.number > after).slice(0, limit);
    },
    async appendLogs(chunks) {
      return chunks.map(append);
    },
    async logPositions(runId) {
      const mine = state.logs.filter((row) => row.runId === runId);
      const keys = [...new Set(mine.map((row) => `${row.step} ${row.attempt}`))];
      return keys.flatMap((key) => {
        const first = mine.find((row) => `${row.step} ${row.attempt}` === key);
        return first === undefined
          ? []
          : [{ step: first.step, attempt: first.attempt, offset: endOf(lastLog(state, first)) }];
      });
    },

    agents: () => Promise.resolve(state.agents.map(seen).sort((a, b) => (a.name < b.name ? -1 : 1))),
    agent: (name) => find(state.agents.map(seen), agentIs(name)),
    async enrolAgent(agent) {
      const before = state.agents.find(agentIs(agent.name));
      const fresh: AgentRow = {
        lastSeenAt: null,
        agentVersion: '',
        bootId: '',
        instanceId: '',
        live: [],
        ...before,
        controllerId: null,
        epoch: before === undefined ? 0 : before.epoch + 1,
        leaseExpiresAt: (before?.leaseExpiresAt ?? null) === null ? null : now(),
        ...agent,
        enrolledAt: now(),
        revokedAt: null,
      };
      if (!draft.replace('agents', agentIs(agent.name), () => fresh)) draft.write('agents').push(fresh);
      return seen(fresh);
    },
    async revokeAgent(name) {
      return draft.replace(
        'agents',
        (row) => row.name === name && row.revokedAt === null,
        (row) => ({
          ...row,
          revokedAt: now(),
          controllerId: null,
          leaseExpiresAt: now(),
        }),
      );
    },
    async setCertificate(name, certificateSerial, certificateExpiresAt) {
      draft.replace('agents', agentIs(name), (row) => ({ ...row, certificateSerial, certificateExpiresAt }));
    },
    async takeLease(name, { leaseMs, ...lease }) {
      const agent = state.agents.find((row) => row.name === name && row.revokedAt === null);
      if (agent === undefined) return null;
      const epoch = agent.epoch + 1;
      draft.replace('agents', agentIs(name), (row) => ({
        ...row,
        ...lease,
        epoch,
        lastSeenAt: now(),
        leaseExpiresAt: later(now(), leaseMs),
      }));
      return epoch;
    },
    async renewLease(name, epoch, leaseMs) {
      const isHeld = (row: AgentRow) => holds(name, epoch)(row) && row.controllerId !== null;
      return draft.replace('agents', isHeld, (row) => ({
        ...row,
        lastSeenAt: now(),
        leaseExpiresAt: later(now(), leaseMs),
      }));
    },
    holdLease: (name, epoch) => Promise.resolve(state.agents.some(holds(name, epoch))),
    async endLease(name, epoch) {
      draft.replace('agents', holds(name, epoch), (row) => ({
        ...row,
        controllerId: null,
        leaseExpiresAt: now(),
      }));
    },
    async setLive(live) {
      for (const [name, now] of live)
        draft.replace('agents', agentIs(name), (row) => ({ ...row, live: now }));
    },

    async insertJoinToken(token) {
      draft.write('joinTokens').push({ ...token, usedAt: null, usedByKey: null });
    },
    holdJoinToken: (hash) => find(state.joinTokens, (row) => row.tokenHash === hash),
    async useJoinToken(hash, usedByKey) {
      draft.replace(
        'joinTokens',
        (row) => row.tokenHash === hash,
        (row) => ({ ...row, usedAt: now(), usedByKey }),
      );
    },

    claimDelivery: (delivery) => Promise.resolve(claimDelivery(delivery)),
    claimDeliveries: (deliveries) => Promise.resolve(deliveries.map(claimDelivery)),
    insertDelivery: (delivery) => Promise.resolve(insertDelivery(delivery, false)),
    async holdClaimed(provider, deliveryId) {
      const row = claimant(provider, deliveryId);
      return row === undefined ? null : delivered(row);
    },
    async holdDelivery(id) {
      const row = state.deliveries.find((one) => one.id === id);
      return row === undefined ? null : delivered(row);
    },
    async startedBy(provider, deliveryId) {
      const rows = state.deliveries.filter(
        (row) => row.provider === provider && row.deliveryId === deliveryId,
      );
      return state.deployments.filter((one) => rows.some((row) => row.id === one.webhookId));
    },
    receivedAt: (id) => Promise.resolve(receivedAt(id)),
    async moveDelivery(id, from, to, reason) {
      return draft.replace(
        'deliveries',
        (row) => row.id === id && row.verdict === from,
        (row) => ({ ...row, verdict: to, reason }),
      );
    },
    async takePending(forMs) {
      const isFree = ({ id }: { readonly id: string }) => {
        const until = state.asked.find((one) => one.id === id)?.until;
        return until === undefined || until <= now();
      };
      const row = state.deliveries.find((one) => one.verdict === 'pending' && isFree(one));
      if (row === undefined) return null;
      draft.write('asked').unshift({ id: row.id, until: later(now(), forMs) });
      return delivered(row);
    },
    async postponePending(id, ms) {
      draft.write('asked').unshift({ id, until: later(now(), ms) });
    },
    async takeBranchCheck({ repository, branch }, everyMs) {
      const isIt = (row: State['branches'][number]) => row.repository === repository && row.branch === branch;
      const found = state.branches.find(isIt);
      if (found !== undefined && found.nextAt > now()) return null;
      const nextAt = later(now(), everyMs);
      if (!draft.replace('branches', isIt, (row) => ({ ...row, nextAt })))
        draft.write('branches').push({ repository, branch, commit: '', nextAt });
      return found?.commit ?? '';
    },
    async noteBranchHead({ repository, branch }, commit) {
      draft.replace(
        'branches',
        (row) => row.repository === repository && row.branch === branch,
        (row) => ({ ...row, commit }),
      );
    },
    async wasDelivered(branch, commit) {
      const told = ['deployed', 'ignored', 'duplicate', 'pending'];
      return state.deliveries.some(
        (row) => row.branch === branch && row.commit === commit && told.includes(row.verdict),
      );
    },
    async missedDelivery(branch, commit) {
      const row = state.deliveries.findLast(
        (one) => one.event === 'missed_push' && one.branch === branch && one.commit === commit,
      );
      return row === undefined ? null : delivered(row);
    },
    async releaseClaim(id) {
      draft.replace(
        'deliveries',
        (row) => row.id === id,
        (row) => ({ ...row, claimed: false }),
      );
    },

    async insertQuestion({ deadlineMs, ...question }) {
      draft.write('questions').push({ ...question, expiresAt: later(now(), deadlineMs), answer: null });
    },
    openQuestions: (host) =>
      Promise.resolve(
        state.questions.filter((row) => row.host === host && row.answer === null && row.expiresAt > now()),
      ),
    question: (id) => find(state.questions, (row) => row.id === id),
    async answerQuestion(id, host, answer) {
      return draft.replace(
        'questions',
        (row) => row.id === id && row.host === host && row.answer === null,
        (row) => ({ ...row, answer }),
      );
    },

    async audit(entry) {
      draft.write('audit').push(entry);
    },
    async outbox(entry) {
      const number = state.outbox.length + 1;
      const fresh = { lane: null, attempts: 0, claimedUntil: null, outcome: null, lastError: null };
      draft.write('outbox').push({ ...entry, ...fresh, number, dueAt: now() });
    },
    async unaddressedNotifications(limit) {
      const rows = state.outbox.filter((row) => row.outcome === null && row.lane === null);
      return rows.slice(0, limit).map(shownNotification);
    },
    async addressNotifications(addressed) {
      for (const one of addressed) {
        const fits = (row: MemoryNotification) =>
          row.number === one.number && row.lane === null && row.outcome === null;
        const change =
          'lane' in one ? { lane: one.lane } : { outcome: 'unwanted' as const, lastError: one.unwanted };
        draft.replace('outbox', fits, (row) => ({ ...row, ...change }));
      }
    },
    async claimNotification({ busyLanes, claimMs }) {
      const isFree = (row: MemoryNotification) =>
        row.outcome === null && (row.claimedUntil === null || row.claimedUntil <= now());
      const isDue = (row: MemoryNotification) => row.dueAt <= now();
      const others = (row: MemoryNotification) =>
        state.outbox.filter(
          (one) => one.about === row.about && one.number !== row.number && one.outcome === null,
        );
      for (const old of state.outbox.filter(isFree)) {
        if (!others(old).some((one) => one.number > old.number && isDue(one))) continue;
        draft.replace(
          'outbox',
          (row) => row.number === old.number,
          (row) => ({ ...row, outcome: 'overtaken' }),
        );
      }
      const [next] = state.outbox
        .filter((row) => isFree(row) && isDue(row) && row.lane !== null && !busyLanes.includes(row.lane))
        .filter((row) => others(row).length === 0)
        .sort((a, b) => Number(a.dueAt) - Number(b.dueAt));
      if (next === undefined) return null;
      const claimed = { ...next, attempts: next.attempts + 1, claimedUntil: later(now(), claimMs) };
      draft.replace(
        'outbox',
        (row) => row.number === next.number,
        () => claimed,
      );
      return shownNotification(claimed);
    },
    async endNotification(claim, { outcome, error }) {
      return draft.replace('outbox', claimedAs(claim), (row) => ({
        ...row,
        outcome,
        lastError: error,
        claimedUntil: null,
      }));
    },
    async retryNotification(claim, { afterMs, error }) {
      return draft.replace('outbox', claimedAs(claim), (row) => ({
        ...row,
        dueAt: later(now(), afterMs),
        lastError: error,
        claimedUntil: null,
      }));
    },
    async holdLane(lane, forMs) {
      const until = later(now(), forMs);
      for (const { number } of state.outbox.filter((row) => row.lane === lane && row.dueAt < until)) {
        draft.replace(
          'outbox',
          (row) => row.number === number && row.outcome === null,
          (row) => ({ ...row, dueAt: until }),
        );
      }
    },
    async wake(topic) {
      wakes.set(JSON.stringify(topic), topic);
    },
  };
  return tx;

  function changed({
    started,
    continued,
    finished,
    dispatched,
    ...rest
  }: DeploymentChange & RunChange & { dispatched?: boolean }): object {
    return {
      ...rest,
      ...(started === true ? { startedAt: now() } : {}),
      ...(continued === true ? { continuedAt: now() } : {}),
      ...(finished === true ? { finishedAt: now() } : {}),
      ...(rest.cancelReason === undefined ? {} : { cancelAskedAt: now() }),
      ...(dispatched === true ? { dispatchedAt: now() } : {}),
    };
  }

  function reported(row: RunRow, { from, ...run }: ReportedRun): RunRow {
    const { cancelReason, cancelAskedAt, dispatchedAt, startedAt, finishedAt } = row;
    const finishes = from !== run.status && runHasEnded(run.status);
    return {
      ...run,
      ...{ cancelReason, cancelAskedAt, dispatchedAt },
      startedAt: from === 'dispatched' ? now() : startedAt,
      finishedAt: finishes ? now() : finishedAt,
    };
  }

  function storedEvent({ runId, seq }: RunEvent): StoredEvent | undefined {
    // What is asked for is among the newest, if it is there at all.
    return state.events.findLast((row) => row.runId === runId && row.event.seq === seq);
  }

  function append(chunk: NewLogChunk): number {
    if (!state.runs.some((row) => row.id === chunk.runId)) throw new Error('the output is of no run');
    const last = lastLog(state, chunk);
    const end = endOf(last);
    if (chunk.offset > end || last?.truncated === true) return end;
    const fresh = chunk.data.subarray(end - chunk.offset);
    const ends = chunk.truncated && chunk.offset + chunk.data.length >= end;
    if (fresh.length > 0 || ends) draft.write('logs').push({ ...chunk, offset: end, data: fresh });
    return end + fresh.length;
  }
}

function lastLog(
  state: State,
  { runId, step, attempt }: Pick<NewLogChunk, 'runId' | 'step' | 'attempt'>,
): NewLogChunk | undefined {
  return state.logs.findLast((row) => row.runId === runId && row.step === step && row.attempt === attempt);
}

function endOf(last: NewLogChunk | undefined): number {
  return last === undefined ? 0 : last.offset + last.data.length;
}

function isActive(status: DeploymentRow['status']): boolean {
  return (ACTIVE_STATUSES as readonly string[]).includes(status);
}

function activeBeside({ id, fraise, environment }: DeploymentRow): (row: DeploymentRow) => boolean {
  return (row) =>
    row.id !== id && row.fraise === fraise && row.environment === environment && isActive(row.status);
}

function inForce({ releasedBy, expiresAt }: State['locks'][number], now: Date): boolean {
  return releasedBy === null && (expiresAt === null || expiresAt > now);
}

function shownLock({ releasedBy: _, ...row }: State['locks'][number]): LockRow {
  return row;
}

function claimedAs({ number, attempts }: Claim): (row: MemoryNotification) => boolean {
  return (row) => row.number === number && row.attempts === attempts && row.outcome === null;
}

function shownNotification({
  number,
  topic,
  about,
  payload,
  lane,
  attempts,
}: NotificationRow): NotificationRow {
  return { number, topic, about, payload, lane, attempts };
}

function madeLive({ status, kind, reason }: DeploymentRow): boolean {
  if (status === 'failed') return reason?.code === 'hosts_failed';
  return status === 'succeeded' || (status === 'rolled_back' && kind === 'rollback');
}

function later(from: Date, ms: number): Date {
  return new Date(from.getTime() + ms);
}

function sameBytes(a: RunEvent, b: RunEvent): boolean {
  return Buffer.from(RunEvent.encode(a).finish()).equals(RunEvent.encode(b).finish());
}
