import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { withFleet, type BenchFleet } from './bench-fleet.js';
import { driveBare, driveByAnsible, driveBySsh, type Drive } from './drive-work.js';
import { figure, median, notMeasured, type Figure } from './figures.js';
import { deployByPush } from './push.js';
import { placeOf, withSshHosts, type SshHosts } from './ssh-hosts.js';

/** Waiting, as for packages that come over the network: on real hosts it is not this machine's work. */
const INSTALL_SECONDS = 3;

/** The install command of each fraise, and what its lines of the table say of it. */
const SERVICES = {
  empty: { install: ['sh', 'install.sh'], called: 'install does nothing' },
  usual: { install: ['sleep', String(INSTALL_SECONDS)], called: `install takes ${INSTALL_SECONDS} s` },
} as const;

type Service = keyof typeof SERVICES;

const PATIENCE_MS = 300_000;

/** So that fifty hosts by Ansible take minutes. */
const ROUNDS: Readonly<Record<number, number>> = { 1: 5, 10: 3, 50: 1 };

/** A database is a folder, and what was migrated is a file in it, called like the commit. */
const MIGRATE = `set -eu
commit=$(basename "$PWD")
mkdir -p "$2"
case $1 in
up) touch "$2/$commit" ;;
down) rm "$2/$commit" ;;
status) if [ -e "$2/$commit" ]; then echo '{"revision": "'$commit'", "pending": []}'
  else echo '{"revision": null, "pending": ["'$commit'"]}'; fi ;;
esac
`;

/** The ways to do the same work; each round takes them in turns. */
interface Way {
  readonly name: string;
  readonly seconds: number[];
  /** In ms; null: not on this machine. */
  readonly take: ((fleet: BenchFleet, service: Service, commit: string) => Promise<number>) | null;
  /** What is missing when it cannot be taken. */
  readonly wants?: string;
}

/**
 * The same deployment on `count` hosts by a plain script, by `xargs -P ssh` over open connections, by Fraisier and by
 * Ansible, in turns. Hosts are folders of this machine (and agents processes on it), so all of them share its cores.
 */
export async function fleet(count: number): Promise<readonly Figure[]> {
  const installs = () => ({ empty: SERVICES.empty.install, usual: SERVICES.usual.install });
  return withFleet(
    count,
    installs,
    (hosts) =>
      withSshHosts(join(hosts.cluster.folder, 'ssh'), hosts.hosts, async (ssh) => {
        await writeFile(migrateScript(hosts.cluster.folder), MIGRATE);
        return [...(await measure(hosts, ssh, 'empty')), ...(await measure(hosts, ssh, 'usual'))];
      }),
    { more: database },
  );
}

function database(folder: string): readonly string[] {
  const [script, place] = [migrateScript(folder), join(folder, 'database')];
  const command = (word: string): string => JSON.stringify(['sh', script, word, place]);
  const commands = ['up', 'down', 'status'].map((word) => `${word}: ${command(word)}`);
  return [`database: { tool: command, ${commands.join(', ')} }`];
}

function migrateScript(folder: string): string {
  return join(folder, 'migrate.sh');
}

async function measure(
  hosts: BenchFleet,
  ssh: SshHosts | null,
  service: Service,
): Promise<readonly Figure[]> {
  const ways = await waysOf(ssh);
  const rounds = ROUNDS[hosts.hosts.length] ?? 1;
  for (let round = 0; round <= rounds; round += 1) {
    const commit = await hosts.service(service).commit(`Round ${round}`);
    for (const { name, take, seconds } of ways) {
      // The first round makes the mirrors and does not count.
      if (take === null || (round === 0 && name === 'Ansible')) continue;
      const ms = await take(hosts, service, commit);
      if (round > 0) seconds.push(ms / 1000);
    }
  }
  return ways.slice(1).map((way) => lineFor(way, ways[0] as Way, hosts, service));
}

async function waysOf(ssh: SshHosts | null): Promise<readonly Way[]> {
  const ansible = (await placeOf('ansible-playbook')) === null ? null : ssh;
  return [
    { name: 'the bare steps', seconds: [], take: (...one) => timed(driveBare, driveOf('bare', ...one)) },
    {
      name: 'xargs -P ssh',
      seconds: [],
      wants: 'OpenSSH (apt-get install openssh-server)',
      take: ssh && ((...one) => timed((drive) => driveBySsh(drive, ssh), driveOf('by-ssh', ...one))),
    },
    { name: 'Fraisier', seconds: [], take: byFraisier },
    {
      name: 'Ansible',
      seconds: [],
      wants: 'Ansible and OpenSSH (apt-get install ansible-core openssh-server)',
      take:
        ansible &&
        ((...one) => timed((drive) => driveByAnsible(drive, ansible), driveOf('by-ansible', ...one))),
    },
  ];
}

function driveOf(
  way: string,
  { cluster, hosts, health, service }: BenchFleet,
  name: Service,
  commit: string,
): Drive {
  const { repository, install } = service(name);
  const migrate = migrateScript(cluster.folder);
  return {
    folder: join(cluster.folder, way, name),
    hosts,
    work: { repository, commit, health, install, migrate },
  };
}

async function byFraisier(hosts: BenchFleet, service: Service, commit: string): Promise<number> {
  return (await deployByPush(hosts, hosts.service(service), commit, PATIENCE_MS)).tookMs;
}

async function timed(work: (drive: Drive) => Promise<void>, drive: Drive): Promise<number> {
  await mkdir(drive.folder, { recursive: true });
  const begun = performance.now();
  await work(drive);
  return performance.now() - begun;
}

function lineFor(way: Way, bare: Way, { hosts }: BenchFleet, service: Service): Figure {
  const on = hosts.length === 1 ? '1 host' : `${hosts.length} hosts`;
  const what = `${way.name} on ${on}, ${SERVICES[service].called}`;
  if (way.take === null) return notMeasured(what, 's', `not measured without ${way.wants ?? 'it'}`);
  return figure(what, median(way.seconds), 's', { what: bare.name, value: median(bare.seconds) });
}
