import type { LiveFraise } from '../../proto/gen/fraisier/v1/agent.js';
import type { AgentRow, EnrolledAgent, NewLease } from '../deployments/ledger/agent.js';
import { clock, clockPlus, select, toJson } from './row.js';
import type { Db } from './row.js';

interface Row {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly certificate_serial: string;
  readonly certificate_expires_at: Date;
  readonly enrolled_at: Date;
  readonly revoked_at: Date | null;
  readonly holder: string | null;
  readonly epoch: number;
  readonly lease_expires_at: Date | null;
  readonly last_seen_at: Date | null;
  readonly agent_version: string;
  readonly boot_id: string;
  readonly instance_id: string;
  readonly live: readonly LiveFraise[];
}

const WITH_HOLDER = `select *, case when lease_expires_at > clock_timestamp() then controller_id end as holder
  from tb_agent`;

/** Every enrolled agent by name, revoked ones too. */
export async function agents(db: Db): Promise<readonly AgentRow[]> {
  return (await select<Row>(db, `${WITH_HOLDER} order by name collate "C"`)).map(fromRow);
}

/** Null when nobody enrolled under this name. */
export async function agent(db: Db, name: string): Promise<AgentRow | null> {
  const [row] = await select<Row>(db, `${WITH_HOLDER} where name = ?`, [name]);
  return row === undefined ? null : fromRow(row);
}

/**
 * A second time under the same name it is a re-enrolment: labels and certificate are replaced, a revocation
 * is lifted.
 */
/** Whoever is connected with an earlier certificate is replaced: a newer enrolment shuts it out, stream and all. */
export async function enrolAgent(db: Db, enrolled: EnrolledAgent): Promise<AgentRow> {
  const { name, labels, certificateSerial, certificateExpiresAt } = enrolled;
  const columns = {
    name,
    labels: toJson(labels),
    certificate_serial: certificateSerial,
    certificate_expires_at: certificateExpiresAt,
    enrolled_at: clock(db),
    revoked_at: null,
  };
  const replaced = {
    controller_id: null,
    epoch: db.raw('tb_agent.epoch + 1'),
    lease_expires_at: db.raw('case when tb_agent.lease_expires_at is not null then clock_timestamp() end'),
  };
  await db('tb_agent')
    .insert(columns)
    .onConflict('name')
    .merge({ ...columns, ...replaced });
  return (await agent(db, name)) as AgentRow;
}

/** False when there is no such agent or it was revoked before. */
export async function revokeAgent(db: Db, name: string): Promise<boolean> {
  const revoked = await db('tb_agent')
    .where({ name })
    .whereNull('revoked_at')
    .update({ revoked_at: clock(db), controller_id: null, lease_expires_at: clock(db) });
  return revoked === 1;
}

/** After a renewal; nothing happens for an unknown name. */
export async function setCertificate(db: Db, name: string, serial: string, expiresAt: Date): Promise<void> {
  await db('tb_agent')
    .where({ name })
    .update({ certificate_serial: serial, certificate_expires_at: expiresAt });
}

/** The new epoch, which ends every older one; null for an unknown or revoked agent. */
export async function takeLease(db: Db, name: string, lease: NewLease): Promise<number | null> {
  const [row] = await db('tb_agent')
    .where({ name })
    .whereNull('revoked_at')
    .update({
      controller_id: lease.controllerId,
      epoch: db.raw('epoch + 1'),
      lease_expires_at: clockPlus(db, lease.leaseMs),
      last_seen_at: clock(db),
      agent_version: lease.agentVersion,
      boot_id: lease.bootId,
      instance_id: lease.instanceId,
      live: toJson(lease.live),
    })
    .returning<{ epoch: number }[]>('epoch');
  return row?.epoch ?? null;
}

/** An ended lease is not renewed: its stream is gone. An expired one is, as long as nobody took it over. */
export async function renewLease(db: Db, name: string, epoch: number, leaseMs: number): Promise<boolean> {
  const renewed = await db('tb_agent')
    .where({ name, epoch })
    .whereNull('revoked_at')
    .whereNotNull('controller_id')
    .update({ lease_expires_at: clockPlus(db, leaseMs), last_seen_at: clock(db) });
  return renewed === 1;
}

/**
 * Shared lock: those who write for the same stream do not wait for each other, who takes the lease over
 * waits for all.
 */
export async function holdLease(db: Db, name: string, epoch: number): Promise<boolean> {
  const rows = await db('tb_agent').where({ name, epoch }).whereNull('revoked_at').forShare().select('name');
  return rows.length === 1;
}

/** Only for the epoch that holds it: a stream that was replaced ends nothing. */
export async function endLease(db: Db, name: string, epoch: number): Promise<void> {
  await db('tb_agent')
    .where({ name, epoch })
    .update({ controller_id: null, lease_expires_at: clock(db) });
}

/** Replaces the whole list of each. */
export async function setLive(db: Db, live: ReadonlyMap<string, readonly LiveFraise[]>): Promise<void> {
  await db.raw(
    `update tb_agent set live = given.value from jsonb_each(cast(? as jsonb)) as given where tb_agent.name = given.key`,
    [JSON.stringify(Object.fromEntries(live))],
  );
}

function fromRow(row: Row): AgentRow {
  return {
    name: row.name,
    labels: row.labels,
    certificateSerial: row.certificate_serial,
    certificateExpiresAt: row.certificate_expires_at,
    enrolledAt: row.enrolled_at,
    revokedAt: row.revoked_at,
    controllerId: row.holder,
    epoch: row.epoch,
    leaseExpiresAt: row.lease_expires_at,
    lastSeenAt: row.last_seen_at,
    agentVersion: row.agent_version,
    bootId: row.boot_id,
    instanceId: row.instance_id,
    live: row.live,
  };
}
