import { mkdtemp, realpath } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { packageRoot } from '../../../proto/package-root.js';
import { mustRun, runCommand, type CommandOptions, type CommandOutput } from '../../support/run-command.js';
import { Host } from './host.js';
import { rootFileSystem } from './rootfs.js';
import { LABS, namespacePrefix, takeDown } from './take-down.js';

export interface LabOptions {
  /** Names; the addresses are 10.99.0.11 and so on, in this order. */
  readonly hosts: readonly string[];
}

/** Boots a fleet of real systemd hosts on one cable; leaves nothing behind when it throws. Needs root on Linux. */
export async function startLab({ hosts }: LabOptions): Promise<Lab> {
  const cache = process.env['FRAISIER_FLEET_CACHE'] ?? '/var/cache/fraisier-fleet';
  const rootfs = await rootFileSystem(cache);
  const lab = new Lab(await realpath(await mkdtemp(join(tmpdir(), `${LABS}${process.pid}-`))), rootfs, hosts);
  try {
    await lab.start();
    return lab;
  } catch (error) {
    await lab.stop();
    throw error;
  }
}

/** Several hosts and, at 10.99.0.1, the place where the controller runs. Nothing leaves their network. */
export class Lab {
  /** Holds everything; removed by `stop`. */
  readonly folder: string;
  readonly hosts: readonly Host[];
  /** Address of the hub, where the controller runs. */
  readonly address = '10.99.0.1';
  readonly #hub: string;

  constructor(folder: string, rootfs: string, names: readonly string[]) {
    this.folder = folder;
    const prefix = namespacePrefix(folder);
    this.#hub = `${prefix}hub`;
    this.hosts = names.map(
      (name, index) =>
        new Host({
          name,
          address: `10.99.0.${11 + index}`,
          folder: join(folder, 'hosts', name),
          rootfs,
          namespace: `${prefix}${index}`,
          hub: this.#hub,
          cable: `host${index}`,
          binds: checkout(),
        }),
    );
  }

  host(name: string): Host {
    const found = this.hosts.find((host) => host.name === name);
    if (found === undefined) throw new Error(`this lab has no host ${name}`);
    return found;
  }

  /** Makes the hub and boots every host; once. */
  async start(): Promise<void> {
    await mustRun(['ip', 'netns', 'add', this.#hub]);
    const inHub = (...words: readonly string[]) => mustRun(['ip', '-n', this.#hub, ...words]);
    await inHub('link', 'set', 'lo', 'up');
    await inHub('link', 'add', 'br0', 'type', 'bridge');
    await inHub('addr', 'add', `${this.address}/24`, 'dev', 'br0');
    await inHub('link', 'set', 'br0', 'up');
    for (const host of this.hosts) await host.prepare();
    await Promise.all(this.hosts.map((host) => host.boot()));
  }

  /** argv that, run on this machine, runs `argv` in the hub's network. */
  argv(argv: readonly string[]): [string, ...string[]] {
    return ['ip', 'netns', 'exec', this.#hub, ...argv];
  }

  /** Runs argv of this machine in the hub's network. */
  exec(argv: readonly string[], options: CommandOptions = {}): Promise<CommandOutput> {
    return runCommand(this.argv(argv), options);
  }

  /** As `exec`; anything but exit code 0 is an error. Returns standard output. */
  must(argv: readonly string[], options: CommandOptions = {}): Promise<string> {
    return mustRun(this.argv(argv), options);
  }

  /** Powers every host off and removes every process, mount and namespace of the lab. May be called twice. */
  async stop(): Promise<void> {
    await Promise.all(this.hosts.map((host) => host.powerOff()));
    await takeDown(this.folder);
  }
}

/** What a host sees of this checkout below /opt/fraisier: the build this file belongs to, and what it needs. */
function checkout(): readonly (readonly [string, string])[] {
  const build = fileURLToPath(new URL('../../..', import.meta.url)).replace(/\/$/, '');
  const root = packageRoot();
  const shared = ['node_modules', 'package.json', 'proto'].map(
    (name) => [join(root, name), `/opt/fraisier/${name}`] as const,
  );
  return [[build, '/opt/fraisier/dist'], ...shared];
}
