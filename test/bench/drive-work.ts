import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { mustRun } from '../support/run-command.js';
import type { SshHosts } from './ssh-hosts.js';
import { phasesOf, scriptOf, type Work } from './work-steps.js';

/** Fifty hosts of Ansible on two cores take their time. */
const TIMEOUT_MS = 300_000;

/** Does the work on all hosts, which are folders below `folder`. */
export interface Drive {
  readonly folder: string;
  readonly hosts: readonly string[];
  readonly work: Work;
}

/** A shell for each host and phase, on this machine: nothing is recorded, and nothing can be undone. */
export async function driveBare({ folder, hosts, work }: Drive): Promise<void> {
  for (const phase of phasesOf(folder, work)) {
    const those = phase.on === 'every host' ? hosts : hosts.slice(0, 1);
    await Promise.all(those.map((host) => mustRun(['sh', '-c', scriptOf(phase, host)])));
  }
}

/** The same shells by `xargs -P ssh`, over connections that are open. */
export async function driveBySsh({ folder, hosts, work }: Drive, ssh: SshHosts): Promise<void> {
  for (const phase of phasesOf(folder, work)) {
    const those = phase.on === 'every host' ? hosts : hosts.slice(0, 1);
    const each = ['-I', 'HOST', 'ssh', '-F', ssh.configuration, 'HOST', scriptOf(phase, 'HOST')];
    const input = those.map((host) => `${host}\n`).join('');
    await mustRun(['xargs', '-P', String(those.length), ...each], { input });
  }
}

/**
 * The same steps as tasks of a playbook, over the same open connections: pipelining, a fork for each host, no facts, no
 * search for an interpreter.
 */
export async function driveByAnsible({ folder, hosts, work }: Drive, ssh: SshHosts): Promise<void> {
  await mkdir(folder, { recursive: true });
  const files = { playbook: 'playbook.json', inventory: 'inventory', settings: 'ansible.cfg' };
  const [playbook, inventory, settings] = Object.values(files).map((name) => join(folder, name)) as [
    string,
    string,
    string,
  ];
  await writeFile(playbook, JSON.stringify(phasesOf(folder, work).map((phase) => playOf(phase))));
  await writeFile(inventory, hosts.map((host) => `${host}\n`).join(''));
  await writeFile(settings, ansibleSettings(folder, hosts.length, ssh));
  const environment = { ...process.env, ANSIBLE_CONFIG: settings, ANSIBLE_HOME: join(folder, 'home') };
  const argv = ['ansible-playbook', '-i', inventory, playbook] as const;
  await mustRun([...argv], { environment, timeoutMs: TIMEOUT_MS });
}

function playOf({ on, steps }: ReturnType<typeof phasesOf>[number]): object {
  return {
    hosts: on === 'every host' ? 'all' : 'all[0]',
    gather_facts: false,
    tasks: steps.map(({ name, script }) => ({
      name,
      'ansible.builtin.shell': `host={{ inventory_hostname }}\n${script}`,
    })),
  };
}

function ansibleSettings(folder: string, forks: number, { configuration }: SshHosts): string {
  return `[defaults]
forks = ${forks}
interpreter_python = /usr/bin/python3
host_key_checking = False
retry_files_enabled = False
local_tmp = ${folder}/tmp
remote_tmp = ${folder}/tmp
[ssh_connection]
pipelining = True
ssh_args = -F ${configuration}
`;
}
