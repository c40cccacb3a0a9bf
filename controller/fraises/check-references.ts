import { error, warning } from './finding.js';
import type { Finding, Path } from './finding.js';
import type { Configuration, Environment, HostSelection } from './fraises.js';
import { didYouMean } from './nearest.js';

type Hosts = Configuration['hosts'];

/** An environment together with where its settings were written. */
export interface PlacedEnvironment {
  readonly environment: Environment;
  readonly pathOf: (key: 'hosts' | 'app_path' | 'database', ...inside: Path) => Path;
}

/** What environments say of hosts, and of each other's places. */
export function checkReferences(placed: readonly PlacedEnvironment[], hosts: Hosts): readonly Finding[] {
  return [
    ...placed.flatMap((one) => [...checkHosts(one, hosts), ...checkMigratingHost(one, hosts)]),
    ...checkSharedPaths(placed, hosts),
  ];
}

/** Hosts and labels may come from enrolment too: one that this file does not know is a warning, and only if it knows any. */
function checkHosts({ environment, pathOf }: PlacedEnvironment, hosts: Hosts): readonly Finding[] {
  const declared = Object.keys(hosts);
  if (declared.length === 0) return [];
  const selection = environment.hosts;
  switch (selection.by) {
    case 'any':
      return [];
    case 'name':
      return selection.names
        .filter((name) => !Object.hasOwn(hosts, name))
        .map((name) => {
          const message = `${name} is not among the hosts of this file${didYouMean(name, declared)}; an agent must enrol as it`;
          return warning(pathOf('hosts'), message);
        });
    case 'label':
      if (declared.some((host) => carries(hosts, host, selection.labels))) return [];
      return [
        warning(pathOf('hosts'), 'no host of this file has these labels; an agent must enrol with them'),
      ];
  }
}

function checkMigratingHost({ environment, pathOf }: PlacedEnvironment, hosts: Hosts): readonly Finding[] {
  const on = environment.database?.on ?? null;
  if (on === null || mayHold(environment.hosts, on, hosts)) return [];
  const known = environment.hosts.by === 'name' ? environment.hosts.names : [];
  const message = `${on} is not one of the hosts of this environment${didYouMean(on, known)}`;
  return [error(pathOf('database', 'on'), message)];
}

function checkSharedPaths(placed: readonly PlacedEnvironment[], hosts: Hosts): readonly Finding[] {
  return placed.flatMap((one, index) => {
    const other = placed
      .slice(0, index)
      .find((earlier) => mayCollide(earlier.environment, one.environment, hosts));
    if (other === undefined) return [];
    const { fraise, name } = other.environment;
    const message =
      `${one.environment.appPath} is also the app_path of ${fraise} ${name}, and both may be on one host; ` +
      'give each its own, or hosts that cannot be the same';
    return [error(one.pathOf('app_path'), message)];
  });
}

function mayCollide(a: Environment, b: Environment, hosts: Hosts): boolean {
  return a.appPath !== '' && a.appPath === b.appPath && mayMeet(a.hosts, b.hosts, hosts);
}

/** Whether one host could be in both selections, as far as this file can tell. */
function mayMeet(a: HostSelection, b: HostSelection, hosts: Hosts): boolean {
  if (a.by === 'name') return a.names.some((name) => mayHold(b, name, hosts));
  if (b.by === 'name') return b.names.some((name) => mayHold(a, name, hosts));
  if (a.by === 'any' || b.by === 'any') return true;
  return !contradict(a.labels, b.labels);
}

function mayHold(selection: HostSelection, host: string, hosts: Hosts): boolean {
  switch (selection.by) {
    case 'any':
      return true;
    case 'name':
      return selection.names.includes(host);
    case 'label':
      return !contradict(labelsOf(hosts, host), selection.labels);
  }
}

/** A label has one value: here and at enrolment it is the same. */
function contradict(a: Readonly<Record<string, string>>, b: Readonly<Record<string, string>>): boolean {
  return Object.entries(a).some(([key, value]) => Object.hasOwn(b, key) && b[key] !== value);
}

function carries(hosts: Hosts, host: string, labels: Readonly<Record<string, string>>): boolean {
  const has = labelsOf(hosts, host);
  return Object.entries(labels).every(([key, value]) => Object.hasOwn(has, key) && has[key] === value);
}

function labelsOf(hosts: Hosts, host: string): Readonly<Record<string, string>> {
  return (Object.hasOwn(hosts, host) ? hosts[host]?.labels : undefined) ?? {};
}
