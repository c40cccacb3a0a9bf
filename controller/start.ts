import { randomBytes } from 'node:crypto';
import { mkdir, readFile, rm } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { FraisierError } from '../proto/error-codes.js';
import { packageRoot } from '../proto/package-root.js';
import { thisMachine } from './addresses.js';
import { Closers } from './closers.js';
import type { ControllerConfig, Environment } from './config.js';
import { applyConfiguration } from './deployments/apply-configuration.js';
import { removeOld, type Keeping, type Removed } from './db/retention.js';
import { startDriver } from './deployments/driver.js';
import { afterRealTime, type Edges } from './deployments/edges.js';
import { watchReturns } from './deployments/watch-returns.js';
import { ensureFirstToken } from './first-token.js';
import { controllerId, newId } from './ids.js';
import type { Logger } from './logger.js';
import { openStorage } from './open-storage.js';
import { openAuthority } from './pki/certificate-authority.js';
import { startPorts, type Core, type Ports } from './ports.js';
import { startRetention } from './retention.js';
import { startOutboxSender } from './statuses/outbox-sender.js';
import { configurationReader } from './webhooks/current-configuration.js';
import { startSettling } from './webhooks/settle-pending.js';
import { startWatching } from './webhooks/watch-branches.js';
import { writeWhole } from './write-whole.js';

export interface Surroundings {
  readonly environment: Environment;
  readonly logger: Logger;
  /** Writes to a person's standard error. */
  readonly say: (text: string) => void;
}

/** `controller.json` in the state folder: where a running controller is found; the ports are those that were taken. */
export interface StateFile {
  readonly pid: number;
  readonly http: string;
  readonly grpc: string;
  readonly agents: string;
  readonly socket: string;
}

/** Starts every part; when one cannot start, those that did are closed and its error is thrown. */
export async function startController(
  config: ControllerConfig,
  surroundings: Surroundings,
): Promise<Closers> {
  const { logger, say } = surroundings;
  const closers = new Closers(logger);
  try {
    const core = await openCore(config, surroundings, closers);
    await applyGivenConfiguration(core);
    const ports = await startPorts(core, closers);
    await ensureFirstToken(
      { ...core.storage, ...core.authority, randomBytes, say },
      ports.login,
      config.firstTokenFile,
    );
    const driver = startDriver(core.edges, {
      onError: (error, deployment) => logger.error({ err: error, deployment }, 'deployment not advanced'),
    });
    closers.push('driver', () => driver.stop());
    startCatchingUp(core, closers);
    startLookingAtRepositories(core, closers);
    startSendingStatuses(core, closers);
    startRemoving(core, closers);
    await announce(core, ports, closers);
    return closers;
  } catch (error) {
    await closers.closeAll();
    throw error;
  }
}

/** Hosts that were left out and are back, where that is wanted. */
function startCatchingUp({ edges, logger }: Core, closers: Closers): void {
  const watch = watchReturns(edges, {
    onError: (error) => logger.error({ err: error }, 'hosts that are back not looked for'),
    onCaughtUp: ({ id, onlyHosts }) => logger.info({ deployment: id, hosts: onlyHosts }, 'hosts are back'),
  });
  closers.push('hosts that are back', () => watch.stop());
}

/** Settles deliveries that wait for an agent's answer, and looks for pushes that no delivery told. */
function startLookingAtRepositories({ edges, logger }: Core, closers: Closers): void {
  const settling = startSettling(edges, {
    onError: (error, delivery) => logger.error({ err: error, delivery }, 'delivery not settled'),
  });
  closers.push('pending deliveries', () => settling.stop());
  const watching = startWatching({
    edges,
    readConfiguration: configurationReader(edges.parsed),
    random: Math.random,
    onError: (error, branch) => logger.warn({ err: error, branch }, 'branch not looked at'),
    onMissed: ({ id, branch, commit }) => logger.warn({ webhookId: id, branch, commit }, 'push was missed'),
  });
  closers.push('missed pushes', () => watching.stop());
}

async function openCore(
  config: ControllerConfig,
  { environment, logger }: Surroundings,
  closers: Closers,
): Promise<Core> {
  await makeStateFolder(config.state);
  const storage = await openStorage(config, logger, closers);
  const { ledger, waking } = storage;
  return {
    config,
    logger,
    storage,
    edges: {
      ledger,
      waking,
      newId,
      environment,
      after: afterRealTime,
      leaseMs: config.leaseMs,
      listening: { since: null },
      parsed: new Map(),
    } satisfies Edges,
    authority: await openAuthority(storage.authority, config.keyFile, await ledger.now()),
    controllerId: await controllerId(config.state),
    version: await ownVersion(),
    machine: thisMachine(),
  };
}

function startRemoving({ config, edges, logger, storage }: Core, closers: Closers): void {
  const remove = (keeping: Keeping): Promise<Removed | null> => removeOld(storage.db, keeping);
  const retention = startRetention({ after: edges.after, logger, removeOld: remove }, config.keeping);
  closers.push('retention', () => retention.stop());
}

function startSendingStatuses({ config, edges, logger }: Core, closers: Closers): void {
  const { publicUrl } = config;
  const outside = { transport: fetch, now: () => new Date(), random: Math.random };
  const sender = startOutboxSender({ ...edges, ...outside, logger, publicUrl });
  closers.push('outbox', () => sender.stop());
}

/** Others may pass through, not look: the embedded database below it belongs to a user of its own when we are root. */
async function makeStateFolder(folder: string): Promise<void> {
  await mkdir(folder, { recursive: true, mode: 0o711 }).catch((error: NodeJS.ErrnoException) => {
    throw new FraisierError(
      'invalid_configuration',
      `the state folder ${folder} cannot be made: ${error.message}`,
      {
        hint: 'choose another one with --state',
        cause: error,
      },
    );
  });
}

async function applyGivenConfiguration({ config: { config: file }, edges, logger }: Core): Promise<void> {
  if (file === null) return;
  const text = await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
    throw new FraisierError('usage', `the configuration ${file} cannot be read: ${error.message}`, {
      cause: error,
    });
  });
  const wanted = { text, fileName: basename(file), dryRun: false };
  const { revision, changed, warnings } = await applyConfiguration(edges, wanted, {
    name: 'controller',
    role: 'admin',
  });
  logger.info({ file, revision, changed, warnings }, 'configuration applied');
}

async function announce({ config, logger, version }: Core, ports: Ports, closers: Closers): Promise<void> {
  const { http, grpc, agents, socket } = ports;
  const file = join(config.state, 'controller.json');
  closers.push('state file', () => rm(file, { force: true }));
  const state: StateFile = { pid: process.pid, http, grpc, agents, socket };
  await writeWhole(file, `${JSON.stringify(state)}\n`, 0o644);
  logger.info({ version, http, grpc, agents, socket }, 'controller ready');
}

async function ownVersion(): Promise<string> {
  const text = await readFile(join(packageRoot(), 'package.json'), 'utf8');
  return (JSON.parse(text) as { version: string }).version;
}
