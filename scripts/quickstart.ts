import { randomBytes, randomUUID } from 'node:crypto';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import { policyFile } from '../test/support/cluster-agent.js';
import { startCluster, type Cluster } from '../test/support/cluster.js';
import { signedPush, type SignedDelivery } from '../test/support/github.js';
import {
  sampleConfiguration,
  sampleFraise,
  sampleService,
  type SampleService,
} from '../test/support/sample-service.js';

const HOST = 'laptop';
const TARGET = ['hello', 'production'] as const;

/**
 * `npm run quickstart`: a controller with its embedded PostgreSQL, one agent and a small service in a scratch folder, and a
 * push deployed before your eyes. Stays until Ctrl-C; with `--exit` it ends by itself, with 0 if all was as it should be.
 */
async function main(staying: boolean): Promise<void> {
  const interrupted = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
    process.on(signal, () => interrupted.abort());
  const secret = randomBytes(24).toString('hex');

  say('Starting a controller with its own PostgreSQL, and an agent …');
  const cluster = await startCluster({
    agents: [],
    databaseUrl: '',
    environment: { GITHUB_WEBHOOK_SECRET: secret },
  });
  let service: SampleService | undefined;
  try {
    service = await sampleService(cluster.folder, cluster.apps);
    await cluster.addAgent({ name: HOST, policy: policyFor(service) });
    await deployByPush(cluster, service, secret, interrupted.signal);
    if (staying && !interrupted.signal.aborted) await stay(cluster, service, interrupted.signal);
  } catch (error) {
    if (!staying || !interrupted.signal.aborted) throw await withLogs(error, cluster);
  } finally {
    say('Ending everything …');
    await service?.stop();
    await cluster.stop();
  }
}

/** What this host allows, and no more: the controller cannot make it do anything else. */
function policyFor(service: SampleService): string {
  return policyFile({
    repositories: [service.repository],
    paths: [service.appPath],
    users: [userInfo().username],
    commands: ['sh install.sh', 'sh restart.sh'],
  });
}

async function deployByPush(
  cluster: Cluster,
  service: SampleService,
  secret: string,
  signal: AbortSignal,
): Promise<void> {
  say(`A small service in a git repository: ${service.repository}`);
  const commit = await service.commit('Say hello');
  await cluster.apply(sampleConfiguration(sampleFraise(service, TARGET[0], [HOST])));
  await show(cluster, ['list'], signal);

  say(`GitHub says that ${commit.slice(0, 7)} was pushed to main:`);
  const push = signedPush({
    repository: service.repository,
    branch: 'main',
    commit,
    secret,
    deliveryId: randomUUID(),
  });
  const accepted = await deliver(cluster, push);
  check(
    accepted.status === 202 && accepted.body.status === 'accepted',
    `the delivery was not accepted: ${shown(accepted)}`,
  );
  const [id] = accepted.body.deployments ?? [];
  check(id !== undefined, `the delivery started no deployment: ${shown(accepted)}`);

  await show(cluster, ['watch', id], signal);
  const deployed = await cluster.json<{ status: string; commit: string }>(['show', id], { signal });
  check(
    deployed.status === 'succeeded' && deployed.commit === commit,
    `deployment ${id} ended ${deployed.status}`,
  );
  await show(cluster, ['status', ...TARGET], signal);
  await show(cluster, ['history'], signal);

  const answer = await service.answer();
  say(`The running service answers at ${service.url}: ${JSON.stringify(answer)}`);
  check(
    answer.status === 'ok' && answer.commit === commit,
    'the running service is not the one that was pushed',
  );

  const again = await deliver(cluster, push);
  say(`The same delivery once more: ${shown(again)}`);
  check(
    again.status === 200 && again.body.status === 'duplicate',
    'a delivery that came twice was not seen as a duplicate',
  );
}

async function stay(cluster: Cluster, service: SampleService, signal: AbortSignal): Promise<void> {
  const program = `FRAISIER_CONTROLLER=${quoted(cluster.socket)} node ${quoted(join('dist', 'bundle', 'bin.js'))}`;
  const lines = [
    'Everything runs until Ctrl-C. In another terminal, from this folder:',
    `  ${program} status`,
    `  ${program} stats ${TARGET[0]}`,
    `  ${program} deploy ${TARGET.join(' ')} --force`,
    `  curl ${service.url}`,
  ];
  say(lines.join('\n'));
  // A timer keeps the process alive; an abort signal alone does not.
  await new Promise<void>((resolve) => {
    const alive = setInterval(() => undefined, 60_000);
    const end = () => {
      clearInterval(alive);
      resolve();
    };
    signal.addEventListener('abort', end, { once: true });
  });
}

interface Answer {
  readonly status: number;
  readonly body: { readonly status?: string; readonly deployments?: readonly string[] };
}

async function deliver(cluster: Cluster, { headers, body }: SignedDelivery): Promise<Answer> {
  const answer = await fetch(`${cluster.http}/webhook`, {
    method: 'POST',
    headers,
    body: new Uint8Array(body),
  });
  return { status: answer.status, body: (await answer.json()) as Answer['body'] };
}

/** Runs a command before the reader's eyes; it must end with 0. */
async function show(cluster: Cluster, args: readonly string[], signal: AbortSignal): Promise<void> {
  say(`$ fraisier ${args.join(' ')}`);
  const { code } = await cluster.cli(args, {
    signal,
    timeoutMs: 120_000,
    onOutput: (text) => process.stdout.write(text),
  });
  check(code === 0, `fraisier ${args.join(' ')} ended with ${code}`);
}

async function withLogs(error: unknown, cluster: Cluster): Promise<Error> {
  const controller = await cluster.controller.logTail();
  const agent = await cluster.agentLog(HOST);
  const words = error instanceof Error ? error.message : String(error);
  return new Error(
    `${words}\n\nThe controller's log ends:\n${controller}\n\nThe agent's log ends:\n${agent}`,
    { cause: error },
  );
}

function check(fine: boolean, otherwise: string): asserts fine {
  if (!fine) throw new Error(otherwise);
}

function shown({ status, body }: Answer): string {
  return `${status} ${JSON.stringify(body)}`;
}

function quoted(word: string): string {
  return /^[\w./:-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}

function say(line: string): void {
  process.stdout.write(`\n${line}\n`);
}

main(!process.argv.includes('--exit')).catch((error: unknown) => {
  process.stderr.write(`quickstart: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
});
