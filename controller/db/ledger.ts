import type { Knex } from 'knex';
import type { Ledger } from '../deployments/ledger.js';
import * as agents from './agent.js';
import { appendLogs } from './append-logs.js';
import { audit } from './audit.js';
import * as branches from './branch-check.js';
import * as configurations from './config-revision.js';
import { orDatabaseAway } from './connection-failure.js';
import * as deployments from './deployment.js';
import { dispatchPending } from './dispatch-pending.js';
import * as runs from './host-run.js';
import * as joinTokens from './join-token.js';
import * as locks from './lock.js';
import * as notifications from './outbox.js';
import * as pending from './pending-delivery.js';
import * as questions from './question.js';
import * as queues from './queue.js';
import { holdReported } from './reported-runs.js';
import { select } from './row.js';
import type { Db } from './row.js';
import { endOfTransaction, type EndOfTransaction } from './end-of-transaction.js';
import * as events from './run-event.js';
import * as logs from './run-log.js';
import { wake } from './wake.js';
import * as webhooks from './webhook-event.js';
import { hasWork } from './work.js';
import { writeReported } from './write-reported.js';

/**
 * The ledger over PostgreSQL. Transactions are `read committed`; one within another is the same one. Every function
 * fails with `database_away` when the server cannot be asked, and also when it ended a wait or a deadlock (a lock is
 * waited for 10 s at most): nothing was written then, and the same call may be made again. The one exception is a
 * commit whose answer got lost: it may have happened, and every caller's work is safe to repeat (law 2).
 */
export function createLedger(db: Knex): Ledger {
  return bound(
    db,
    async (work) =>
      await orDatabaseAway(
        db.transaction(async (tx) => {
          const endOf = endOfTransaction(tx);
          const result = await work(within(tx, endOf));
          await endOf.write();
          return result;
        }),
      ),
  );
}

/** What nobody in the transaction reads is written at its end, and a fraise is held once: fewer ways to the server. */
function within(tx: Knex.Transaction, { audit, outbox, wake }: EndOfTransaction): Ledger {
  const held = new Set<string>();
  const own = bound(tx, async (work) => await work(ledger));
  const holdFraise = async (fraise: string, environment: string): Promise<void> => {
    const key = JSON.stringify([fraise, environment]);
    if (!held.has(key)) await own.holdFraise(fraise, environment);
    held.add(key);
  };
  const ledger: Ledger = { ...own, holdFraise, audit, outbox, wake };
  return ledger;
}

function bound(db: Db, transaction: Ledger['transaction']): Ledger {
  const bind =
    <A extends unknown[], R>(act: (db: Db, ...rest: A) => Promise<R>) =>
    async (...rest: A): Promise<R> =>
      await orDatabaseAway(act(db, ...rest));
  return {
    transaction,
    now: bind(now),
    ...bindRecordKeeping(bind),
    ...bindHosts(bind),
    claimDelivery: bind(webhooks.claimDelivery),
    claimDeliveries: bind(webhooks.claimDeliveries),
    insertDelivery: bind(webhooks.insertDelivery),
    holdClaimed: bind(webhooks.holdClaimed),
    holdDelivery: bind(webhooks.holdDelivery),
    startedBy: bind(webhooks.startedBy),
    releaseClaim: bind(webhooks.releaseClaim),
    receivedAt: bind(pending.receivedAt),
    moveDelivery: bind(pending.moveDelivery),
    takePending: bind(pending.takePending),
    postponePending: bind(pending.postponePending),
    takeBranchCheck: bind(branches.takeBranchCheck),
    noteBranchHead: bind(branches.noteBranchHead),
    wasDelivered: bind(branches.wasDelivered),
    missedDelivery: bind(branches.missedDelivery),
    audit: bind(audit),
    ...bindOutbox(bind),
    wake: bind(wake),
  };
}

type Bind = <A extends unknown[], R>(act: (db: Db, ...rest: A) => Promise<R>) => (...rest: A) => Promise<R>;

function bindRecordKeeping(bind: Bind) {
  return {
    currentConfiguration: bind(configurations.currentConfiguration),
    configurationRevision: bind(configurations.configurationRevision),
    insertConfiguration: bind(configurations.insertConfiguration),
    holdFraise: bind(deployments.holdFraise),
    insertDeployment: bind(deployments.insertDeployment),
    deployment: bind(deployments.deployment),
    deployments: bind(queues.deployments),
    deploymentByRequest: bind(deployments.deploymentByRequest),
    holdDeployment: bind(deployments.holdDeployment),
    moveDeployment: bind(deployments.moveDeployment),
    unfinishedDeployments: bind(deployments.unfinishedDeployments),
    holdQueues: bind(queues.holdQueues),
    writeQueues: bind(queues.writeQueues),
    lastSucceeded: bind(deployments.lastSucceeded),
    endedDeployments: bind(deployments.endedDeployments),
    insertLock: bind(locks.insertLock),
    lockOn: bind(locks.lockOn),
    locks: bind(locks.locks),
    releaseLock: bind(locks.releaseLock),
    insertRun: bind(runs.insertRun),
    run: bind(runs.run),
    holdReported: bind(holdReported),
    dispatchPending: bind(dispatchPending),
    runsOf: bind(runs.runsOf),
    openRunsOnHost: bind(runs.openRunsOnHost),
    hasWork: bind(hasWork),
    moveRun: bind(runs.moveRun),
    writeReported: bind(writeReported),
    knowsEvent: bind(events.knowsEvent),
    eventsOf: bind(events.eventsOf),
    appendLogs: bind(appendLogs),
    logPositions: bind(logs.logPositions),
  };
}

function bindHosts(bind: Bind) {
  return {
    agents: bind(agents.agents),
    agent: bind(agents.agent),
    enrolAgent: bind(agents.enrolAgent),
    revokeAgent: bind(agents.revokeAgent),
    setCertificate: bind(agents.setCertificate),
    takeLease: bind(agents.takeLease),
    renewLease: bind(agents.renewLease),
    holdLease: bind(agents.holdLease),
    endLease: bind(agents.endLease),
    setLive: bind(agents.setLive),
    insertJoinToken: bind(joinTokens.insertJoinToken),
    holdJoinToken: bind(joinTokens.holdJoinToken),
    useJoinToken: bind(joinTokens.useJoinToken),
    insertQuestion: bind(questions.insertQuestion),
    openQuestions: bind(questions.openQuestions),
    question: bind(questions.question),
    answerQuestion: bind(questions.answerQuestion),
  };
}

function bindOutbox(bind: Bind) {
  return {
    outbox: bind(notifications.outbox),
    unaddressedNotifications: bind(notifications.unaddressedNotifications),
    addressNotifications: bind(notifications.addressNotifications),
    claimNotification: bind(notifications.claimNotification),
    endNotification: bind(notifications.endNotification),
    retryNotification: bind(notifications.retryNotification),
    holdLane: bind(notifications.holdLane),
  };
}

async function now(db: Db): Promise<Date> {
  const [row] = await select<{ now: Date }>(db, 'select clock_timestamp() as now');
  return (row as { now: Date }).now;
}
