import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { expect } from 'chai';
import type { Shown } from '../system/deploying.js';
import { LINES_EACH } from '../system/gated-service.js';
import { USER, type Fleet, type Server } from './fleet.js';

export type { Shown } from '../system/deploying.js';

/** How `fraisier deploy` (or another command that follows a deployment) ended. */
export interface Deployed {
  readonly code: number | null;
  readonly shown: Shown;
  readonly stderr: string;
}

/** Runs a command on the laptop that follows a deployment to its end, or until it pauses. */
export async function follow(fleet: Fleet, args: readonly string[]): Promise<Deployed> {
  const { code, stdout, stderr } = await fleet.cli([...args, '--json']);
  if (stdout.trim() === '')
    throw new Error(`fraisier ${args.join(' ')} ended with ${code} and said:\n${stderr}`);
  return { code, shown: JSON.parse(stdout) as Shown, stderr };
}

/** `fraisier deploy hello production` in the foreground; it may be left waiting while something is done to the fleet. */
export function deploy(fleet: Fleet): Promise<Deployed> {
  const deployed = follow(fleet, ['deploy', 'hello', 'production']);
  // Awaited later: a failure meanwhile must not end the tests.
  deployed.catch(() => undefined);
  return deployed;
}

/** The deployment, once it has ended or pauses. */
export async function ended(fleet: Fleet, id: string): Promise<Shown> {
  await fleet.cli(['watch', id]);
  return fleet.json<Shown>(['show', id]);
}

/** One line per step of a host: `prepare fetch succeeded 1`, the number being its attempts. */
export function steps(shown: Shown, server: Server): readonly string[] {
  const host = shown.hosts.find((one) => one.host === server);
  return (host?.steps ?? []).map((step) => `${step.phase} ${step.name} ${step.status} ${step.attempts}`);
}

/** Every byte that the install of a host printed, once and in order: each attempt from its start, the last one whole. */
export async function expectWholeLog(fleet: Fleet, id: string, server: Server): Promise<void> {
  const said = await fleet.must(['logs', id, '--step', 'install', '--host', server, '--json']);
  const chunks = said.split('\n').flatMap((line) => (line === '' ? [] : [JSON.parse(line) as LogChunk]));
  const attempts = new Map<number, string>();
  for (const { attempt, offset, data } of chunks) {
    const before = attempts.get(attempt) ?? '';
    expect(offset, `where a chunk of attempt ${attempt} begins`).to.equal(Buffer.byteLength(before));
    attempts.set(attempt, before + data);
  }
  expect([...attempts.keys()]).to.deep.equal([...attempts.keys()].sort((one, other) => one - other));
  const last = [...attempts.values()].at(-1) ?? '';
  expect(last.trimEnd().split('\n'), `log of install on ${server}`).to.deep.equal(INSTALL_LINES);
}

interface LogChunk {
  readonly attempt: number;
  readonly offset: number;
  readonly data: string;
}

const INSTALL_LINES = ['before', 'after'].flatMap((word) =>
  Array.from({ length: LINES_EACH }, (_, index) => `${word} ${index + 1}`),
);

export interface WatchedEvent {
  readonly event: string;
  readonly host?: string;
  readonly phase?: string;
  readonly step?: string;
}

/** Watches from the laptop until an event matches, and returns at once. Throws when the deployment ends before. */
export async function atEvent(
  fleet: Fleet,
  id: string,
  match: (event: WatchedEvent) => boolean,
): Promise<void> {
  const asUser = ['runuser', '-u', USER, '--', 'env', `HOME=/home/${USER}`];
  const [command, ...args] = await fleet.laptop.argv([...asUser, 'fraisier', 'watch', id, '--json']);
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'ignore'] });
  try {
    for await (const line of createInterface({ input: child.stdout })) {
      if (match(JSON.parse(line) as WatchedEvent)) return;
    }
    throw new Error(`${id} ended before the event came`);
  } finally {
    child.stdout.destroy();
    child.kill('SIGKILL');
  }
}
