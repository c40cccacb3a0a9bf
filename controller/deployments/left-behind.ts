import type { DeploymentRow, NewDeployment } from './ledger/deployment.js';

/** A host that a deployment left as it was when it went live on the others. */
export interface LeftBehind {
  readonly host: string;
  readonly by: DeploymentRow;
  /** Because it was away: then it may be brought up to date when it returns. */
  readonly wasAway: boolean;
  /** Something was deployed to it since, and did not become live. */
  readonly wasTried: boolean;
}

/** Who asks for it in the records when a host is brought up to date. */
export const CATCHING_UP = { trigger: 'schedule', requestedBy: 'controller' } as const;

/** Whether it was asked for to bring hosts up to date that were left behind. */
export function isCatchUp(deployment: Pick<NewDeployment, 'kind' | 'trigger' | 'requestedBy'>): boolean {
  const { kind, trigger, requestedBy } = deployment;
  return kind === 'retry' && trigger === CATCHING_UP.trigger && requestedBy === CATCHING_UP.requestedBy;
}

/** Read from the ended deployments of an environment, newest first. The newest one that was about a host has the last word. */
export function leftBehind(ended: readonly DeploymentRow[]): readonly LeftBehind[] {
  const found: LeftBehind[] = [];
  const known = new Set<string>();
  const tried = new Set<string>();
  for (const by of ended) {
    const hosts = by.plan?.hosts.map(({ host }) => host) ?? [];
    if (!wentLive(by)) {
      for (const host of hosts) tried.add(host);
      continue;
    }
    for (const { host, wasAway } of leftBy(by)) {
      if (!known.has(host)) found.push({ host, by, wasAway, wasTried: tried.has(host) });
      known.add(host);
    }
    for (const host of hosts) known.add(host);
  }
  return found;
}

/** What a deployment that ended like this deployed is what its environment should have. */
export function wentLive({
  status,
  kind,
  reason,
}: Pick<DeploymentRow, 'status' | 'kind' | 'reason'>): boolean {
  if (status === 'failed') return reason?.code === 'hosts_failed';
  return status === 'succeeded' || (status === 'rolled_back' && kind === 'rollback');
}

function leftBy(deployment: DeploymentRow): readonly Pick<LeftBehind, 'host' | 'wasAway'>[] {
  const { leftOut = [], rollback } = deployment.plan ?? {};
  const lost = (deployment.reason?.facts['lost'] ?? '').split(' ').filter(Boolean);
  const away = [...leftOut, ...(rollback?.skipped ?? []), ...lost].map((host) => ({ host, wasAway: true }));
  const skipped = deployment.answers.filter(({ act }) => act === 'skip');
  return [...away, ...skipped.map(({ host, wasAway }) => ({ host, wasAway }))];
}
