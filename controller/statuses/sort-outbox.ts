import type { AppliedConfiguration } from '../deployments/configuration.js';
import type { DeploymentRow, Ledger, NotificationRow } from '../deployments/ledger.js';
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
    const applied = rows.length === 0 ? null : await read(ledger);
    for (const row of rows) {
      const letter = await letterOf(ledger, applied, row);
      if ('unwanted' in letter)
        await ledger.endNotification(row, { outcome: 'unwanted', error: letter.unwanted });
      else await ledger.addressNotification(row.number, letter.address.lane);
    }
    if (rows.length < BATCH) return;
  }
}

/** By this configuration. */
export async function letterOf(
  ledger: Ledger,
  applied: AppliedConfiguration | null,
  { payload }: NotificationRow,
): Promise<Letter | { readonly unwanted: string }> {
  const { deployment: id, status } = contentOf(payload);
  const deployment = id === null ? null : await ledger.deployment(id);
  if (applied === null || deployment === null || status === null)
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
