import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Deployment } from '../../../proto/gen/fraisier/v1/control.js';
import type { Server } from '../fleet.js';
import type { Ended } from './ended.js';
import { marks, WEB, type Software } from './software.js';

/** Where the record and the hosts differ, for one piece of software. */
export async function judgeWorld(ended: Ended, software: Software): Promise<readonly string[]> {
  const { fleet, somebody, history } = ended;
  const { name, hosts, databaseOn } = software;
  const status = await somebody.ask(`status of ${name}`, (control) =>
    control.ask('getStatus', { fraise: name, environment: 'production' }),
  );
  const [environment] = status.environments;
  const wanted = environment?.wantedVersion ?? '';
  const faults = await Promise.all(
    hosts.map(async (server) => {
      const told = environment?.hosts.find(({ host }) => host === server);
      const host = fleet.server(server);
      const link = await host.must(['readlink', '-f', `/srv/${name}/current`]);
      const served = await servedOn(ended, name, server);
      const seen = [told?.status, told?.liveVersion, link.trim().split('/').at(-1), served].join(' ');
      const right = ['live', wanted, wanted, served === null ? null : wanted].join(' ');
      return seen === right ? [] : [`${name} on ${server}: ${seen}, wanted ${right}`];
    }),
  );
  const newest = history.find(({ fraise }) => fraise === name);
  return [
    ...faults.flat(),
    ...judgeNewest(newest, wanted),
    ...(databaseOn === null ? [] : await judgeDatabase(ended, { name, databaseOn })),
  ];
}

/** The newest is live, or its end says why not. */
function judgeNewest(newest: Deployment | undefined, wanted: string): readonly string[] {
  if (newest === undefined) return ['nothing was ever deployed'];
  const explained = ['failed', 'rolled_back'].includes(newest.status) && newest.reason !== undefined;
  if (explained || (newest.status === 'succeeded' && newest.commit === wanted)) return [];
  return [`${newest.id} (${newest.commit}) is the newest and ${newest.status}, live is ${wanted}`];
}

/** What its service says is live; null when it has none. */
async function servedOn({ fleet }: Ended, name: string, server: Server): Promise<string | null> {
  const host = fleet.server(server);
  switch (name) {
    case 'web': {
      const { stdout } = await host.exec(['curl', '--silent', '--max-time', '5', WEB]);
      return /"commit":"(\w+)"/.exec(stdout)?.[1] ?? 'nothing';
    }
    case 'shop':
      return (await host.exec(['cat', '/run/shop/serving'])).stdout.trim() || 'nothing';
    default:
      return null;
  }
}

/** No migration was begun more often than the record says; applied is what the live release brings, each once. */
async function judgeDatabase(
  { fleet, somebody, history, continued }: Ended,
  { name, databaseOn }: Pick<Software, 'name'> & { readonly databaseOn: Server },
): Promise<readonly string[]> {
  const { root } = fleet.server(databaseOn);
  const lines = async (path: string): Promise<readonly string[]> =>
    (await readFile(join(root, path), 'utf8').catch(() => '')).split('\n').filter((line) => line !== '');
  const begun = await lines(`${marks(name)}/migrated`);
  const faults: string[] = [];
  for (const { id, commit } of history.filter(({ fraise }) => fraise === name)) {
    const times = begun.filter((one) => one === commit).length;
    const { hosts } = await somebody.deployment(id);
    const steps = hosts.flatMap((host) => host.steps).filter((step) => step.name === 'migrate');
    const recorded = steps.reduce((sum, { attempts }) => sum + attempts, 0);
    const allowed = 1 + (continued.get(id) ?? 0);
    if (times > recorded || recorded > allowed)
      faults.push(`${id}: its migration was begun ${times} times, recorded ${recorded}, allowed ${allowed}`);
  }
  const [applied, brought] = [
    await lines(`${marks(name)}/database`),
    (await fleet.server(databaseOn).must(['cat', `/srv/${name}/current/migrations.txt`])).trim().split('\n'),
  ];
  if (applied.join() !== brought.join())
    faults.push(`${name}: applied is ${applied.join()}, live ${brought.join()}`);
  return faults;
}
