import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Fleet } from '../fleet.js';
import type { Ended } from './ended.js';
import { LOG_LINES } from './software.js';

/** Output of installs, by host: every byte of an attempt once and in order, and the last one whole where it succeeded. */
export async function judgeLogs({ somebody }: Ended, id: string): Promise<readonly string[]> {
  const request = { deploymentId: id, host: '', step: 'install', follow: false };
  const chunks = await somebody.ask(`logs of ${id}`, async (control) => {
    const all = [];
    for await (const line of control.stream('logs', request, new AbortController().signal)) all.push(line);
    return all;
  });
  const faults: string[] = [];
  const said = new Map<string, string>();
  for (const { host, attempt, offset, data } of chunks) {
    const key = `${host} ${attempt}`;
    const before = said.get(key) ?? '';
    if (offset !== Buffer.byteLength(before)) faults.push(`${id}: output of ${key} goes on at ${offset}`);
    said.set(key, before + Buffer.from(data).toString());
  }
  const { hosts } = await somebody.deployment(id);
  for (const { host, steps } of hosts) {
    const install = steps.find(({ name }) => name === 'install');
    if (install?.status !== 'succeeded') continue;
    const last = said.get(`${host} ${install.attempts}`)?.trimEnd().split('\n') ?? [];
    if (last.join() !== LOG_LINES.join())
      faults.push(`${id}: output of install on ${host} is ${last.join()}`);
  }
  return faults;
}

/** Errors that the controllers logged and that are not about a database that was away. */
export async function judgeErrors({ lab }: Fleet): Promise<readonly string[]> {
  const names = ['controller', 'controller-2', 'controller-3'].map((name) => join(lab.folder, `${name}.log`));
  const texts = await Promise.all(names.map((name) => readFile(name, 'utf8').catch(() => '')));
  const lines = texts
    .flatMap((text) => text.split('\n'))
    .filter((line) => /^\{"level":(?:50|60|"error"|"fatal")/.test(line));
  return lines.filter((line) => !line.includes('database_away'));
}
