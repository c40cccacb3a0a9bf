import { createHash } from 'node:crypto';
import {
  chmod,
  copyFile,
  mkdir,
  mkdtemp,
  realpath,
  rename,
  rm,
  stat,
  symlink,
  writeFile,
} from 'node:fs/promises';
import { join } from 'node:path';
import { mustRun } from '../../support/run-command.js';

const SUITE = 'bookworm';

const PACKAGES = `systemd systemd-sysv dbus polkitd sudo util-linux procps iproute2 ca-certificates curl git
  python3-minimal sqlite3 openssh-server libstdc++6 libatomic1`.split(/\s+/);

/** The program as every host has it: the checkout is bound to /opt/fraisier when a host boots. */
const WRAPPER = '#!/bin/sh\nexec /usr/local/bin/node /opt/fraisier/dist/bundle/bin.js "$@"\n';

/**
 * The folder of a root file system with systemd, git and this machine's `node`, made once (about a minute, 300 MB) below
 * `cache` and kept for later runs; another list of packages or another `node` makes another one. Needs root and mmdebstrap.
 */
export async function rootFileSystem(cache: string): Promise<string> {
  const contents = JSON.stringify([SUITE, PACKAGES, WRAPPER, process.version, process.arch]);
  const folder = join(cache, `rootfs-${createHash('sha256').update(contents).digest('hex').slice(0, 12)}`);
  if (await exists(folder)) return folder;
  await mkdir(cache, { recursive: true });
  const scratch = await mkdtemp(join(cache, 'making-'));
  try {
    await make(join(scratch, 'rootfs'));
    await rename(join(scratch, 'rootfs'), folder).catch(async (error: unknown) => {
      if (!(await exists(folder))) throw error;
    });
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
  return folder;
}

async function make(rootfs: string): Promise<void> {
  const include = `--include=${PACKAGES.join(',')}`;
  await mustRun(['mmdebstrap', '--quiet', '--variant=minbase', include, SUITE, rootfs], {
    timeoutMs: 15 * 60_000,
  });
  await copyFile(await realpath(process.execPath), join(rootfs, 'usr/local/bin/node'));
  await chmod(join(rootfs, 'usr/local/bin/node'), 0o755);
  await writeFile(join(rootfs, 'usr/local/bin/fraisier'), WRAPPER, { mode: 0o755 });
  await mkdir(join(rootfs, 'opt/fraisier'), { recursive: true });
  // The network is set up from outside: nothing may wait for it, nothing may change it.
  for (const unit of [
    'systemd-networkd-wait-online.service',
    'systemd-networkd.service',
    'systemd-resolved.service',
  ]) {
    await symlink('/dev/null', join(rootfs, 'etc/systemd/system', unit));
  }
  // Started by the tests that want it.
  await rm(join(rootfs, 'etc/systemd/system/multi-user.target.wants/ssh.service'), { force: true });
  await mustRun(['chroot', rootfs, 'useradd', '--system', '--create-home', '--shell', '/bin/bash', 'deploy']);
}

async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}
