import { lstat } from 'node:fs/promises';
import { Inspection } from '../../proto/gen/fraisier/v1/agent.js';
import type { FileChange } from '../../proto/gen/fraisier/v1/agent.js';
import type { Health, Target } from '../../proto/gen/fraisier/v1/plan.js';
import { installedJobs } from '../steps/installed-units.js';
import { isVersion } from '../steps/judge-health.js';
import { anyVersion, lookOnceAt } from '../steps/look.js';
import type { LookPorts } from '../steps/look.js';
import { liveCommit, placeOf } from '../steps/place.js';
import { isInPlace, layoutOf, readReleaseMark } from '../steps/release-layout.js';
import type { ReleaseMark } from '../steps/release-layout.js';
import { unitNow } from '../steps/unit-now.js';
import { changedFiles } from './changed-files.js';
import { changesInCheckout } from './dirty-checkout.js';
import { driftOf } from './drift.js';
import { questionGit } from './host-ports.js';
import type { HostPorts } from './host-ports.js';
import { keptReleases } from './kept-releases.js';
import { timersNow } from './timers-now.js';

type Ports = Pick<HostPorts, 'systemd' | 'signal' | 'stateFolder'>;
type Service = Pick<Inspection, 'health' | 'healthAnswer' | 'servedVersion'>;

/** The fraise as it is on this host now: release, files, unit, timers, one look at its health, and where they disagree. */
export async function inspectFraise(
  target: Target,
  health: Health | undefined,
  ports: Ports,
): Promise<Inspection> {
  const host = { target, stateFolder: ports.stateFolder };
  const release = await liveCommit(host);
  const mark = release === '' ? null : await readReleaseMark(placeOf(host), release);
  const [unit, service, kept, timers, changed] = await Promise.all([
    unitNow(target, ports.systemd),
    serviceNow(health, { target, command: null, ...ports }),
    keptReleases(placeOf(host)),
    installedJobs(ports.stateFolder, target).then((jobs) => timersNow(jobs, ports.systemd)),
    changesOf(host, mark, ports),
  ]);
  const { unitState, unitStartedAt } = unit;
  const drift = driftOf({
    target,
    release,
    mark,
    unit,
    timers,
    changed,
    strangeLink: await strangeLink(target, release),
    otherVersion: otherVersion(release, service.servedVersion),
  });
  return Inspection.fromPartial({
    release,
    provenGood: typeof mark?.provenGoodAt === 'string',
    ...(typeof mark?.activatedAt === 'string' ? { activatedAt: new Date(mark.activatedAt) } : {}),
    unitState,
    unitStartedAt,
    ...service,
    drift,
    kept,
    timers,
    changedFiles: changed,
  });
}

async function changesOf(
  host: { readonly target: Target; readonly stateFolder: string },
  mark: ReleaseMark | null,
  ports: Ports,
): Promise<readonly FileChange[]> {
  if (isInPlace(host.target)) return changesInCheckout(host.target, ports);
  if (mark === null || mark.activatedAt === null) return [];
  // A forced deployment of what is live installs again, and proves it again.
  const since = Math.max(Date.parse(mark.activatedAt), Date.parse(mark.provenGoodAt ?? mark.activatedAt));
  return changedFiles(questionGit(ports), host, mark.commit, new Date(since));
}

/** Any version is healthy here; whether it is the live one is a question of drift. Commands are not run by a question. */
async function serviceNow(health: Health | undefined, ports: LookPorts): Promise<Service> {
  if (health === undefined || health.probes.length === 0)
    return { health: '', healthAnswer: '', servedVersion: '' };
  const look = await lookOnceAt(anyVersion(health), ports);
  const word = look.healthy ? 'healthy' : 'unhealthy';
  return {
    health: look.asked ? word : '',
    healthAnswer: look.answer,
    servedVersion: look.servedVersion,
  };
}

async function strangeLink(target: Target, release: string): Promise<string> {
  if (isInPlace(target)) return '';
  const { current } = layoutOf(target);
  const there = await lstat(current).catch(() => null);
  return there !== null && release === '' ? `${current} does not lead to one of Fraisier's releases` : '';
}

function otherVersion(release: string, served: string): string {
  if (served === '' || release === '' || isVersion(served, release)) return '';
  return `the service serves version ${served}, and the live release is ${release}`;
}
