import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync } from 'node:fs';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { mustRun, runCommand, type CommandOptions, type CommandOutput } from '../../support/run-command.js';
import { until } from '../../support/until.js';

export interface HostSpec {
  readonly name: string;
  readonly address: string;
  /** Holds the host's overlay and console. */
  readonly folder: string;
  readonly rootfs: string;
  /** Network namespace of its own, and the one of the hub where its cable ends. */
  readonly namespace: string;
  readonly hub: string;
  /** The end of its cable in the hub. */
  readonly cable: string;
  /** `[outside, inside]`, read-only. */
  readonly binds: readonly (readonly [string, string])[];
}

/** One real systemd host: a container with its own init, address and file system. Its disk survives a loss of power. */
export class Host {
  readonly #spec: HostSpec;
  #nspawn: ChildProcess | undefined;

  constructor(spec: HostSpec) {
    this.#spec = spec;
  }

  get name(): string {
    return this.#spec.name;
  }

  get address(): string {
    return this.#spec.address;
  }

  /** Its file system as this machine sees it; only between `boot` and the end of the lab. */
  get root(): string {
    return join(this.#spec.folder, 'root');
  }

  /** Joins its network, mounts its disk; once. */
  async prepare(): Promise<void> {
    const { folder, rootfs, namespace, hub, cable, address, name } = this.#spec;
    for (const part of ['up', 'work', 'root']) await mkdir(join(folder, part), { recursive: true });
    const layers = `lowerdir=${rootfs},upperdir=${join(folder, 'up')},workdir=${join(folder, 'work')}`;
    await mustRun(['mount', '-t', 'overlay', 'overlay', '-o', layers, this.root]);
    await writeFile(join(this.root, 'etc/hostname'), `${name}\n`);
    await rm(join(this.root, 'etc/machine-id'), { force: true });
    await writeFile(join(this.root, 'etc/machine-id'), '');
    await mustRun(['ip', 'netns', 'add', namespace]);
    await mustRun([
      'ip',
      '-n',
      hub,
      'link',
      'add',
      cable,
      'type',
      'veth',
      'peer',
      'name',
      'eth0',
      'netns',
      namespace,
    ]);
    await mustRun(['ip', '-n', hub, 'link', 'set', cable, 'master', 'br0', 'up']);
    await mustRun(['ip', '-n', namespace, 'addr', 'add', `${address}/24`, 'dev', 'eth0']);
    await mustRun(['ip', '-n', namespace, 'link', 'set', 'eth0', 'up']);
    await mustRun(['ip', '-n', namespace, 'link', 'set', 'lo', 'up']);
  }

  /** Boots, with its cable plugged in, and waits until systemd says that it is up. */
  async boot(): Promise<void> {
    await this.heal();
    const { folder, name, namespace, binds } = this.#spec;
    const log = openSync(join(folder, 'console.log'), 'a');
    const machine = ['-q', '-D', this.root, '--boot', `--machine=${name}`, `--hostname=${name}`];
    const alone = [
      '--register=no',
      '--keep-unit',
      '--console=pipe',
      `--network-namespace-path=/run/netns/${namespace}`,
    ];
    const shown = binds.map(([outside, inside]) => `--bind-ro=${escaped(outside)}:${inside}`);
    this.#nspawn = spawn('systemd-nspawn', [...machine, ...alone, ...shown], {
      stdio: ['ignore', log, log],
      detached: true,
    });
    closeSync(log);
    await until(`${name} to be up`, () => this.#isUp(), { timeoutMs: 60_000, everyMs: 100 });
  }

  /** Runs argv inside, as root, with an environment like that of a login. */
  async exec(argv: readonly [string, ...string[]], options: CommandOptions = {}): Promise<CommandOutput> {
    return runCommand(await this.argv(argv), options);
  }

  /** As `exec`; anything but exit code 0 is an error. Returns standard output. */
  async must(argv: readonly [string, ...string[]], options: CommandOptions = {}): Promise<string> {
    return mustRun(await this.argv(argv), options);
  }

  /** argv that, run on this machine, runs `argv` inside. */
  async argv(argv: readonly string[]): Promise<[string, ...string[]]> {
    const enter = ['-t', String(await this.#leader()), '-m', '-u', '-i', '-n', '-p', '--'];
    const login = [
      '/usr/bin/env',
      '-i',
      '--chdir=/',
      'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
      'HOME=/root',
      'LANG=C.UTF-8',
    ];
    return ['nsenter', ...enter, ...login, ...argv];
  }

  /** Pulls its cable: packets are lost from now on, connections are not told. */
  async cut(): Promise<void> {
    await mustRun(['ip', '-n', this.#spec.hub, 'link', 'set', this.#spec.cable, 'down']);
  }

  async heal(): Promise<void> {
    await mustRun(['ip', '-n', this.#spec.hub, 'link', 'set', this.#spec.cable, 'up']);
  }

  /** Loss of power: everything in it is gone at once. Returns when it is; `boot` brings it back. */
  async powerOff(): Promise<void> {
    const nspawn = this.#nspawn;
    if (nspawn === undefined || nspawn.exitCode !== null || nspawn.signalCode !== null) return;
    await this.cut();
    const gone = once(nspawn, 'exit');
    const leader = await this.#leader().catch(() => undefined);
    if (leader === undefined) nspawn.kill('SIGKILL');
    else process.kill(leader, 'SIGKILL');
    await gone;
  }

  async console(): Promise<string> {
    return readFile(join(this.#spec.folder, 'console.log'), 'utf8').catch(() => '');
  }

  async #isUp(): Promise<boolean> {
    const nspawn = this.#nspawn;
    if (nspawn?.exitCode !== null)
      throw new Error(`${this.name} ended while it booted: ${await this.console()}`);
    const { stdout } = await this.exec(['systemctl', 'is-system-running'], { timeoutMs: 5_000 });
    return ['running', 'degraded'].includes(stdout.trim());
  }

  /** Its init, seen from outside. */
  async #leader(): Promise<number> {
    const nspawn = this.#nspawn?.pid;
    if (nspawn === undefined) throw new Error(`${this.name} was not booted`);
    const children = await readFile(`/proc/${nspawn}/task/${nspawn}/children`, 'utf8').catch(() => '');
    const leader = Number(children.trim().split(' ')[0]);
    if (!leader) throw new Error(`${this.name} is off`);
    return leader;
  }
}

function escaped(path: string): string {
  return path.replaceAll('\\', '\\\\').replaceAll(':', '\\:');
}
