import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import pg from 'pg';
import { systemClock } from '../../agent/clock.js';
import { childProcessExec } from '../../agent/exec/child-process.js';
import { Lease } from '../../agent/lease.js';
import { runStep } from '../../agent/steps/index.js';
import { decide, type RunStart } from '../../controller/deployments/decide.js';
import { foldEvent } from '../../controller/deployments/fold-event.js';
import type { DeploymentRow } from '../../controller/deployments/ledger/deployment.js';
import type { RunRow } from '../../controller/deployments/ledger/run.js';
import { deploymentHasEnded, type RunPhase } from '../../controller/deployments/lifecycle.js';
import { makePlan } from '../../controller/deployments/plan.js';
import { latestRuns, planOf } from '../../controller/deployments/runs-of-deployment.js';
import { phaseOnWire, stepsOfRun } from '../../controller/deployments/steps-of-run.js';
import type { Database } from '../../controller/fraises/fraises.js';
import type { Reason } from '../../proto/gen/fraisier/v1/plan.js';
import { anAssignment } from '../agent/builders.js';
import { aHost, finished, withRuns } from '../agent/host.js';
import { aDatabase, aDeployment, anEnvironment, aRun, at, COMMIT } from './builders.js';
import { emptyDatabase, type TestDatabase } from './database.js';

/** A host with a database of its own, on which the migrations of a deployment are done for real; no code is released. */
export interface MigrationLab {
  /** The release of `COMMIT`, where the tool is started. */
  readonly release: string;
  readonly url: string;
  /** Writes files below the release. */
  write(files: Readonly<Record<string, string>>): Promise<void>;
  remove(...paths: readonly string[]): Promise<void>;
  query(sql: string): Promise<readonly Record<string, unknown>[]>;
  /** Every table, column, index, constraint and sequence, a line each. */
  schema(): Promise<readonly string[]>;
  deploy(database: Partial<Database>, more?: Course): Promise<Outcome>;
}

/** How a deployment goes apart from its migrations. */
export interface Course {
  /** The new code turns out bad when it is released. */
  readonly releaseFails?: boolean;
  /** What somebody else does before a run of this phase begins. */
  readonly before?: Partial<Record<RunPhase, () => Promise<void>>>;
  /** The host loses its word of how the first migrate run ended. */
  readonly migrateIsInterrupted?: boolean;
  /** Asked for when it pauses; default: leave it paused. */
  readonly whenPaused?: 'continue' | 'cancel';
}

export interface Outcome {
  readonly status: DeploymentRow['status'];
  readonly reason: Reason | null;
  readonly runs: readonly RunRow[];
  /** Step names of the newest run of a phase, as they were planned. */
  steps(phase: RunPhase): readonly string[];
}

/** `environment`: what the host's environment file says beside DATABASE_URL. */
export async function withMigrationLab(
  use: (lab: MigrationLab) => Promise<void>,
  environment: (url: string) => Readonly<Record<string, string>> = () => ({}),
  database: Pick<TestDatabase, 'url' | 'close'> | null = null,
): Promise<void> {
  const own = database ?? (await emptyDatabase());
  try {
    await inFolder(own.url, environment(own.url), use);
  } finally {
    await own.close();
  }
}

async function inFolder(
  url: string,
  environment: Readonly<Record<string, string>>,
  use: (lab: MigrationLab) => Promise<void>,
): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'fraisier-migrations-'));
  try {
    const release = join(folder, 'app', 'releases', COMMIT);
    await mkdir(release, { recursive: true });
    const values = { DATABASE_URL: url, ...environment };
    await writeFile(
      join(folder, 'env'),
      Object.entries(values)
        .map(([key, value]) => `${key}='${value}'\n`)
        .join(''),
    );
    await use(labIn(folder, release, url));
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

function labIn(folder: string, release: string, url: string): MigrationLab {
  const write: MigrationLab['write'] = async (files) => {
    for (const [path, text] of Object.entries(files)) {
      await mkdir(dirname(join(release, path)), { recursive: true });
      await writeFile(join(release, path), text);
    }
  };
  const query = (sql: string) =>
    withClient(url, async (client) => (await client.query(sql)).rows as Record<string, unknown>[]);
  return {
    release,
    url,
    write,
    remove: async (...paths) => {
      for (const path of paths) await rm(join(release, path), { force: true });
    },
    query,
    schema: async () => (await query(SCHEMA)).map((row) => String(row['line'])),
    deploy: (database, more = {}) =>
      deploy(folder, { ...aDatabase, up: null, down: null, status: null, ...database }, more),
  };
}

async function withClient<T>(url: string, work: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}

const SCHEMA = `
  select 'column ' || table_schema || '.' || table_name || '.' || column_name || ' ' || data_type || ' ' ||
         is_nullable || ' ' || coalesce(column_default, '') as line
    from information_schema.columns where table_schema not in ('pg_catalog', 'information_schema')
  union all select 'index ' || indexdef from pg_indexes where schemaname not in ('pg_catalog', 'information_schema')
  union all select 'constraint ' || conrelid::regclass || ' ' || conname || ' ' || pg_get_constraintdef(oid)
    from pg_constraint where conrelid <> 0 and connamespace not in (select oid from pg_namespace where nspname like 'pg_%' or nspname = 'information_schema')
  union all select 'sequence ' || sequence_schema || '.' || sequence_name from information_schema.sequences
  order by 1`;

// ── one deployment: the real decisions, plans, steps, processes and events ───

const MOST_DECISIONS = 40;

async function deploy(folder: string, database: Database, course: Course): Promise<Outcome> {
  const environment = anEnvironment({
    appPath: join(folder, 'app'),
    environmentFile: join(folder, 'env'),
    database,
  });
  const plan = makePlan({ environment, commit: COMMIT, ref: 'main', hosts: ['web-1'], madeAt: at(0) });
  let deployment = aDeployment({ environmentConfig: environment, plan });
  const runs: RunRow[] = [];
  for (let round = 0; round < MOST_DECISIONS && !deploymentHasEnded(deployment.status); round += 1) {
    const hosts = [{ name: 'web-1', leaseExpiresAt: at(3600), validUntil: at(3600) }];
    const now = at(round + 3);
    const { start = [], move } = decide({ deployment, runs, hosts, now });
    for (const one of start) runs.push(await work(folder, deployment, runs, one, course, now));
    if (move !== undefined) {
      deployment = { ...deployment, status: move.to, reason: move.reason, continueRequestedBy: null };
    } else if (start.length === 0) {
      if (deployment.status !== 'paused' || course.whenPaused === undefined) break;
      const asked = course.whenPaused === 'continue' ? 'continueRequestedBy' : 'cancelRequestedBy';
      const continued = course.whenPaused === 'continue' ? { continuedAt: now } : {};
      deployment = { ...deployment, ...continued, [asked]: 'ana' };
    }
  }
  return {
    status: deployment.status,
    reason: deployment.reason,
    runs,
    steps: (phase) => runs.findLast((run) => run.phase === phase)?.steps.map(({ name }) => name) ?? [],
  };
}

const OF_THE_DATABASE: readonly (string | undefined)[] = ['migrationStatus', 'migrate', 'backup'];

async function work(
  folder: string,
  deployment: DeploymentRow,
  runs: readonly RunRow[],
  { host, phase, attempt }: RunStart,
  course: Course,
  now: Date,
): Promise<RunRow> {
  const planned = stepsOfRun(planOf(deployment), host, phase, latestRuns(runs)).steps;
  const steps = planned.filter(({ action }) => OF_THE_DATABASE.includes(action?.$case));
  const row = aRun(host, phase, 'dispatched', {
    attempt,
    steps,
    previousRelease: phase === 'prepare' ? 'a'.repeat(40) : null,
  });
  await course.before?.[phase]?.();
  if (phase === 'release' && course.releaseFails === true) return ended(row, 'failed', now);
  if (steps.length === 0) return ended(row, 'succeeded', now);
  const told = await execute(folder, deployment, row, now);
  return course.migrateIsInterrupted === true && phase === 'migrate' && attempt === 1
    ? { ...ended(row, 'interrupted', now), migration: null }
    : told;
}

function ended(row: RunRow, status: 'succeeded' | 'failed' | 'interrupted', now: Date): RunRow {
  return { ...row, status, startedAt: now, finishedAt: now };
}

/** By the agent's own runs, with real processes; each event is folded in as the controller does. */
async function execute(folder: string, deployment: DeploymentRow, row: RunRow, now: Date): Promise<RunRow> {
  const clock = systemClock;
  const lease = new Lease(clock);
  lease.renew(clock.uptimeMs(), 3_600_000);
  const ports = { clock, lease, exec: childProcessExec(), runStep } as unknown as Parameters<typeof aHost>[1];
  const host = aHost(join(folder, 'state'), ports);
  return withRuns(host, async (known) => {
    const { target } = planOf(deployment);
    await known.accept(
      anAssignment(row.steps, { runId: row.id, phase: phaseOnWire(row.phase), ...(target && { target }) }),
    );
    const events = await finished(known, row.id);
    return events.reduce((before: RunRow, event) => {
      const folded = foldEvent(before, event, now);
      if ('illegal' in folded) throw new Error(folded.illegal);
      return { ...before, ...folded.row, ...(folded.change.finished === true ? { finishedAt: now } : {}) };
    }, row);
  });
}
