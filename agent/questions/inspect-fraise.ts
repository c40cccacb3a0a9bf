import { lstat } from 'node:fs/promises';
import { Inspection } from '../../proto/gen/fraisier/v1/agent.js';
import type { Health, Target } from '../../proto/gen/fraisier/v1/plan.js';
import { isVersion, judge } from '../steps/judge-health.js';
import { fullUnitName } from '../steps/policy-rules.js';
import { probe } from '../steps/probe.js';
import { layoutOf, liveRelease, readReleaseMark } from '../steps/release-layout.js';
import type { ReleaseMark } from '../steps/release-layout.js';
import type { HostPorts } from './host-ports.js';

/** systemd tells seconds, marks milliseconds. */
const SAME_MOMENT_MS = 1000;

type Unit = Pick<Inspection, 'unitState' | 'unitStartedAt'> & { readonly reloadDue: boolean };
type Service = Pick<Inspection, 'health' | 'healthAnswer' | 'servedVersion'>;

/** The fraise as it is on this host now: link, unit, one health probe, and where they do not agree. Reads only. */
export async function inspectFraise(
  target: Target,
  health: Health | undefined,
  ports: Pick<HostPorts, 'systemd' | 'signal'>,
): Promise<Inspection> {
  const release = await liveRelease(target);
  const mark = release === '' ? null : await readReleaseMark(target, release);
  const { reloadDue, ...unit } = await unitNow(target, ports);
  const service = await serviceNow(health, ports.signal);
  const drift = [
    await strangeLink(target, release),
    staleProcess(target, mark, unit.unitStartedAt),
    otherVersion(release, service.servedVersion),
    reloadDue
      ? `the file of ${target.systemdService} changed after systemd read it: sudo systemctl daemon-reload`
      : '',
  ];
  return Inspection.fromPartial({
    release,
    provenGood: typeof mark?.provenGoodAt === 'string',
    ...(typeof mark?.activatedAt === 'string' ? { activatedAt: new Date(mark.activatedAt) } : {}),
    ...unit,
    ...service,
    drift: drift.filter((words) => words !== ''),
  });
}

async function unitNow({ systemdService }: Target, { systemd }: Pick<HostPorts, 'systemd'>): Promise<Unit> {
  if (systemdService === '' || systemd === null)
    return { unitState: 'unknown', unitStartedAt: undefined, reloadDue: false };
  const shown = await systemd.show(fullUnitName(systemdService), [
    'ActiveState',
    'ActiveEnterTimestamp',
    'NeedDaemonReload',
  ]);
  return {
    unitState: shown['ActiveState'] || 'unknown',
    unitStartedAt: momentOf(shown['ActiveEnterTimestamp'] ?? ''),
    reloadDue: shown['NeedDaemonReload'] === 'yes',
  };
}

/** `Mon 2026-11-23 00:53:00 UTC`, as `systemctl show` prints it with TZ=UTC. */
export function momentOf(text: string): Date | undefined {
  const [, day, time] = /(\d{4}-\d\d-\d\d) (\d\d:\d\d:\d\d) UTC$/.exec(text) ?? [];
  return day === undefined || time === undefined ? undefined : new Date(`${day}T${time}Z`);
}

/** Any version is healthy here; whether it is the live one is a question of drift. */
async function serviceNow(health: Health | undefined, signal: AbortSignal): Promise<Service> {
  if (health === undefined || health.url === '') return { health: '', healthAnswer: '', servedVersion: '' };
  const verdict = judge(await probe(health.url, health.timeoutMs, signal), { ...health, expectVersion: '' });
  return {
    health: verdict.healthy ? 'healthy' : 'unhealthy',
    healthAnswer: verdict.answer,
    servedVersion: verdict.servedVersion,
  };
}

async function strangeLink(target: Target, release: string): Promise<string> {
  const { current } = layoutOf(target);
  const there = await lstat(current).catch(() => null);
  return there !== null && release === '' ? `${current} does not lead to one of Fraisier's releases` : '';
}

/** Seen in the process, not in the record. */
function staleProcess(target: Target, mark: ReleaseMark | null, startedAt: Date | undefined): string {
  if (startedAt === undefined || typeof mark?.activatedAt !== 'string') return '';
  if (startedAt.getTime() + SAME_MOMENT_MS > Date.parse(mark.activatedAt)) return '';
  const since = startedAt.toISOString();
  return `${target.systemdService} runs since ${since}, and its code was changed at ${mark.activatedAt}: it was not restarted`;
}

function otherVersion(release: string, served: string): string {
  if (served === '' || release === '' || isVersion(served, release)) return '';
  return `the service serves version ${served}, and the live release is ${release}`;
}
