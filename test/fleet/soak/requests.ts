import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Random } from '../../simulator/random.js';
import { until } from '../../support/until.js';
import type { Delivered, Fleet } from '../fleet.js';
import type { Software, Source } from './software.js';
import { UNFINISHED, type Somebody } from './somebody.js';

const WAYS = ['push', 'push', 'cli', 'followed'] as const;
type Way = (typeof WAYS)[number];

/** One commit, and what came of asking for its deployment. No two ask for the same commit. */
export interface Request {
  readonly fraise: string;
  readonly commit: string;
  readonly way: Way;
  /** The deployment, when it was said to be accepted. */
  readonly id: string | null;
  /** How the command that followed it to its end went. */
  readonly followed: { readonly code: number | null; readonly status: string; readonly words: string } | null;
  /** Why it was not accepted. */
  readonly refused: string | null;
}

interface Ports {
  readonly fleet: Fleet;
  readonly somebody: Somebody;
  readonly random: Random;
}

/** Asks for one deployment of a fraise after the other until `over`, some before the last one has ended; returns all. */
export async function keepDeploying(
  ports: Ports,
  software: Software,
  source: Source,
  over: AbortSignal,
): Promise<readonly Request[]> {
  const random = ports.random.fork(software.name);
  const made: Request[] = [];
  while (!over.aborted) {
    const brokenOn = random.chance(0.2) ? random.pick(software.hosts) : 'none';
    const commit = await source.commit(brokenOn);
    const request = await ask({ ...ports, random }, { software, url: source.url, commit });
    made.push(request);
    await sleep(random.whole(100, 2_000));
    if (request.id !== null && random.chance(0.7)) await ended(ports, request.id, over);
  }
  return made;
}

async function ended({ somebody }: Ports, id: string, over: AbortSignal): Promise<void> {
  while (!over.aborted && UNFINISHED.includes((await somebody.deployment(id)).status)) await sleep(400);
}

interface Wanted {
  readonly software: Software;
  readonly url: string;
  readonly commit: string;
}

async function ask(ports: Ports, { software: { name: fraise }, url, commit }: Wanted): Promise<Request> {
  const way = ports.random.pick(WAYS);
  const request = { fraise, commit, way, id: null, followed: null, refused: null };
  switch (way) {
    case 'push':
      return { ...request, id: await push(ports, url, commit) };
    case 'cli': {
      const asked = ['deploy', fraise, 'production', '--commit', commit, '--no-wait', '--json'];
      const { code, stdout, stderr } = await ports.fleet.cli(asked);
      if (code !== 0) return { ...request, refused: `${code}: ${stderr}` };
      return { ...request, id: (JSON.parse(stdout) as { id: string }).id };
    }
    case 'followed': {
      const asked = ['deploy', fraise, 'production', '--commit', commit, '--json'];
      const { code, stdout, stderr } = await ports.fleet.cli(asked, { timeoutMs: 240_000 });
      if (stdout === '') return { ...request, refused: `${code}: ${stderr}` };
      const { id, status } = JSON.parse(stdout) as { id: string; status: string };
      return { ...request, id, followed: { code, status, words: stderr } };
    }
  }
}

/** As a git host does it: the same delivery again, to whichever controller, until it is answered. */
async function push({ fleet, random }: Ports, repository: string, commit: string): Promise<string> {
  const delivery = { repository, branch: 'main', commit, deliveryId: randomUUID(), pushedAt: new Date() };
  const send = (): Promise<Delivered> =>
    fleet.deliver(delivery, random.whole(0, fleet.controllers.length - 1));
  const answered = async (): Promise<string | undefined> => (await send()).deployments?.[0];
  return until(`the push of ${commit} to be accepted`, answered, { timeoutMs: 60_000, everyMs: 300 });
}
