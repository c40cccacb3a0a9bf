import { FraisierError } from '../../proto/error-codes.js';
import type { Inspection } from '../../proto/gen/fraisier/v1/agent.js';
import { goodReleases, madeLive } from './good-releases.js';
import type { DeploymentRow } from './ledger/deployment.js';

/** A host as it is now. */
export interface SeenHost {
  readonly host: string;
  readonly inspection: Inspection;
}

/** What a target is chosen from. */
export interface Choice {
  readonly fraise: string;
  readonly environment: string;
  /** A commit or its beginning, a deployment's id; empty: the last good one before what is live. */
  readonly to: string;
  /** Newest end first. */
  readonly ended: readonly DeploymentRow[];
  readonly hosts: readonly SeenHost[];
}

export interface Target {
  readonly commit: string;
  /** The deployment that made it live; null when only the hosts know it. */
  readonly deployment: DeploymentRow | null;
}

/**
 * The release to go back to. Pure. From the record: what was live and good before what is live; when a host runs something
 * else than the record's last good release, that one. A release that failed is never a target. Throws
 * `no_rollback_target` with the reason.
 */
export function chooseRollbackTarget(choice: Choice): Target {
  const good = goodReleases(choice.ended);
  const candidates = isLiveEverywhere(good.at(-1)?.commit, choice.hosts) ? good.slice(0, -1) : good;
  if (choice.to !== '') return wanted(choice, candidates);
  const begun = unfinishedRollback(choice, good);
  if (begun !== undefined) return { commit: begun.commit, deployment: begun };
  const last = candidates.at(-1);
  if (last !== undefined) return { commit: last.commit, deployment: last };
  const kept = good.length === 0 ? newestKept(choice.hosts) : undefined;
  if (kept !== undefined) return { commit: kept, deployment: null };
  throw none(choice, `there is no good release before the one that is live (${liveNow(choice)})`);
}

/** Where a rollback was going that did not get everywhere: on from there, not back to what it came from. */
function unfinishedRollback(
  { ended: [newest], hosts }: Choice,
  good: readonly DeploymentRow[],
): DeploymentRow | undefined {
  if (newest?.kind !== 'rollback' || madeLive(newest)) return undefined;
  if (isLiveEverywhere(good.at(-1)?.commit, hosts)) return undefined;
  return good.findLast(({ commit }) => commit === newest.commit);
}

function wanted(choice: Choice, candidates: readonly DeploymentRow[]): Target {
  const { to, ended, hosts } = choice;
  const named = ended.find(({ id }) => id === to);
  if (to.startsWith('d_')) return ofDeployment(choice, named, candidates);
  if (!/^[0-9a-f]{7,64}$/.test(to)) throw none(choice, `"${to}" is neither a commit nor a deployment`);
  const found = candidates.findLast(({ commit }) => commit.startsWith(to));
  if (found !== undefined) return { commit: found.commit, deployment: found };
  const live = hosts.filter(({ inspection }) => inspection.release.startsWith(to));
  if (live.length === hosts.length) throw none(choice, `${to} is live already`);
  const gone = ended.find(({ commit }) => commit.startsWith(to));
  if (gone !== undefined) return ofDeployment(choice, gone, candidates);
  const kept = keptEverywhere(hosts).find((commit) => commit.startsWith(to));
  if (kept !== undefined) return { commit: kept, deployment: null };
  throw none(choice, `no good release begins with ${to}`);
}

function ofDeployment(
  choice: Choice,
  named: DeploymentRow | undefined,
  candidates: readonly DeploymentRow[],
): Target {
  if (named === undefined) throw none(choice, `${choice.to} is no ended deployment of it`);
  const { id, status, commit } = named;
  if (!madeLive(named)) throw none(choice, `${id} ended ${status}: only what was live and good is a target`);
  const deployment = candidates.findLast((one) => one.commit === commit);
  if (deployment !== undefined) return { commit, deployment };
  if (isLiveEverywhere(commit, choice.hosts)) throw none(choice, `${commit.slice(0, 12)} is live already`);
  const { fraise, environment } = choice;
  throw none(choice, `${id} was rolled back from: to have it again is to deploy it`, {
    hint: `fraisier deploy ${fraise} ${environment} --commit ${commit}`,
  });
}

function isLiveEverywhere(commit: string | undefined, hosts: readonly SeenHost[]): boolean {
  return hosts.every(({ inspection }) => inspection.release === commit);
}

/** Proven good on every host and live on none, the newest on the first host first: for a record that lost its past. */
function keptEverywhere(hosts: readonly SeenHost[]): readonly string[] {
  const [first, ...others] = hosts.map(({ inspection }) => inspection);
  const isGood = ({ kept, release }: Inspection, commit: string) =>
    release !== commit && kept.some((one) => one.commit === commit && one.provenGood);
  return (first?.kept ?? [])
    .filter(({ activatedAt }) => activatedAt !== undefined)
    .toSorted((one, other) => Number(other.activatedAt) - Number(one.activatedAt))
    .map(({ commit }) => commit)
    .filter((commit) => first !== undefined && [first, ...others].every((host) => isGood(host, commit)));
}

function newestKept(hosts: readonly SeenHost[]): string | undefined {
  return keptEverywhere(hosts)[0];
}

function liveNow({ hosts }: Choice): string {
  const live = [...new Set(hosts.map(({ inspection }) => inspection.release.slice(0, 12) || 'nothing'))];
  return live.join(', ');
}

function none({ fraise, environment }: Choice, why: string, more: { hint?: string } = {}): FraisierError {
  return new FraisierError('no_rollback_target', `cannot roll back ${fraise} ${environment}: ${why}`, {
    hint: more.hint ?? `fraisier history ${fraise} ${environment}`,
  });
}
