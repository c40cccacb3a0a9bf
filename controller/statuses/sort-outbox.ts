import type { AppliedConfiguration } from '../deployments/configuration.js';
import type { Ledger } from '../deployments/ledger.js';
import type { DeploymentRow } from '../deployments/ledger/deployment.js';
import type { AddressedNotification, NotificationRow } from '../deployments/ledger/outbox.js';
import { DEPLOYMENT_STATUSES, type DeploymentStatus } from '../deployments/lifecycle.js';
import type { ReadConfiguration } from '../webhooks/current-configuration.js';
import { addressStatus, isAddress, type Address } from './address-status.js';

const BATCH = 100;

/** What a notification says, and whom it is for. */
export interface Letter {
  readonly deployment: DeploymentRow;
  readonly status: DeploymentStatus;
  readonly address: Address;
}

/** Gives every new notification its lane, or ends it when nobody is to be told. Safe to do at once by several. */
export async function sortOutbox(ledger: Ledger, read: ReadConfiguration): Promise<void> {
  for (;;) {
    const rows = await ledger.unaddressedNotifications(BATCH);
    if (rows.length > 0) await sort(ledger, await read(ledger), rows);
    if (rows.length < BATCH) return;
  }
}

async function sort(
  ledger: Ledger,
  applied: AppliedConfiguration | null,
  rows: readonly NotificationRow[],
): Promise<void> {
  const ids = rows.flatMap(({ payload }) => contentOf(payload).deployment ?? []);
  const deployments = new Map((await ledger.deployments([...new Set(ids)])).map((one) => [one.id, one]));
  const addressed = rows.map((row): AddressedNotification => {
    const letter = readLetter(applied, row, deployments);
    return { number: row.number, ...('unwanted' in letter ? letter : { lane: letter.address.lane }) };
  });
  await ledger.addressNotifications(addressed);
}

/** By this configuration. */
export async function letterOf(
  ledger: Ledger,
  applied: AppliedConfiguration | null,
  row: NotificationRow,
): Promise<Letter | Unwanted> {
  const { deployment: id } = contentOf(row.payload);
  const found = id === null ? [] : await ledger.deployments([id]);
  return readLetter(applied, row, new Map(found.map((one) => [one.id, one])));
}

interface Unwanted {
  readonly unwanted: string;
}

function readLetter(
  applied: AppliedConfiguration | null,
  { payload }: NotificationRow,
  deployments: ReadonlyMap<string, DeploymentRow>,
): Letter | Unwanted {
  const { deployment: id, status } = contentOf(payload);
  const deployment = deployments.get(id ?? '');
  if (applied === null || deployment === undefined || status === null)
    return { unwanted: 'it is about no deployment' };
  const address = addressStatus(applied.configuration, deployment);
  return isAddress(address) ? { deployment, status, address } : address;
}

function contentOf(payload: unknown): { deployment: string | null; status: DeploymentStatus | null } {
  const { deployment, status } = (payload ?? {}) as { deployment?: unknown; status?: unknown };
  return {
    deployment: typeof deployment === 'string' ? deployment : null,
    status: DEPLOYMENT_STATUSES.find((known) => known === status) ?? null,
  };
}
