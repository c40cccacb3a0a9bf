import type { Knex } from 'knex';
import * as configuration from './migrations/0001-configuration.js';
import * as deployment from './migrations/0002-deployment.js';
import * as hostRun from './migrations/0003-host-run.js';
import * as runEvent from './migrations/0004-run-event.js';
import * as runLog from './migrations/0005-run-log.js';
import * as webhookEvent from './migrations/0006-webhook-event.js';
import * as agent from './migrations/0007-agent.js';
import * as apiToken from './migrations/0008-api-token.js';
import * as controller from './migrations/0009-controller.js';
import * as question from './migrations/0010-question.js';
import * as lock from './migrations/0011-lock.js';
import * as outbox from './migrations/0012-outbox.js';
import * as audit from './migrations/0013-audit.js';
import * as fraiseStatus from './migrations/0014-fraise-status.js';
import * as deploymentHistory from './migrations/0015-deployment-history.js';
import * as deploymentStats from './migrations/0016-deployment-stats.js';
import * as webhookHistory from './migrations/0017-webhook-history.js';
import * as rollback from './migrations/0018-rollback.js';
import * as notifications from './migrations/0019-notifications.js';
import * as deliveryRecord from './migrations/0020-delivery-record.js';
import * as questionsOfDeliveries from './migrations/0021-questions-of-deliveries.js';
import * as continued from './migrations/0022-continued.js';
import * as cancelAsked from './migrations/0023-cancel-asked.js';
import * as liveDeployment from './migrations/0030-live-deployment.js';
import * as endedNotifications from './migrations/0031-ended-notifications.js';
import * as fleets from './migrations/0032-fleets.js';

type Step = Pick<Knex.Migration, 'up'> & Required<Pick<Knex.Migration, 'down'>>;

/** Every migration in order. Listed by hand, so that names are the same from TypeScript, a build or a bundle. */
export const MIGRATIONS: Readonly<Record<string, Step>> = {
  '0001-configuration': configuration,
  '0002-deployment': deployment,
  '0003-host-run': hostRun,
  '0004-run-event': runEvent,
  '0005-run-log': runLog,
  '0006-webhook-event': webhookEvent,
  '0007-agent': agent,
  '0008-api-token': apiToken,
  '0009-controller': controller,
  '0010-question': question,
  '0011-lock': lock,
  '0012-outbox': outbox,
  '0013-audit': audit,
  '0014-fraise-status': fraiseStatus,
  '0015-deployment-history': deploymentHistory,
  '0016-deployment-stats': deploymentStats,
  '0017-webhook-history': webhookHistory,
  '0018-rollback': rollback,
  '0019-notifications': notifications,
  '0020-delivery-record': deliveryRecord,
  '0021-questions-of-deliveries': questionsOfDeliveries,
  '0022-continued': continued,
  '0023-cancel-asked': cancelAsked,
  '0030-live-deployment': liveDeployment,
  '0031-ended-notifications': endedNotifications,
  '0032-fleets': fleets,
};

/** For knex: `{ migrationSource }`. */
export const migrationSource: Knex.MigrationSource<string> = {
  getMigrations: async () => await Promise.resolve(Object.keys(MIGRATIONS)),
  getMigrationName: (name) => name,
  getMigration: async (name) => await Promise.resolve(required(name)),
};

function required(name: string): Step {
  const migration = MIGRATIONS[name];
  if (migration === undefined) throw new Error(`no migration is called ${name}`);
  return migration;
}
