import { readFile } from 'node:fs/promises';
import type { BenchFleet } from './bench-fleet.js';
import { figure, median, type Figure } from './figures.js';

/** Resident memory of the controller (without its database) and of an agent, the median one, at this moment. */
export async function memory({ cluster, hosts }: BenchFleet, when: string): Promise<readonly Figure[]> {
  const agents = await Promise.all(hosts.map((host) => residentMegabytes(cluster.agent(host).pid)));
  const of = `of ${hosts.length}`;
  return [
    figure(`memory of the controller ${of}, ${when}`, await residentMegabytes(cluster.controller.pid), 'MB'),
    figure(`memory of an agent ${of}, ${when}`, median(agents), 'MB'),
  ];
}

/** Of a process. */
export async function residentMegabytes(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8');
  return Number(/^VmRSS:\s+(\d+) kB/m.exec(status)?.[1] ?? Number.NaN) / 1024;
}

/** What a process has used of CPU time so far. */
export async function cpuMsOf(pid: number): Promise<number> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  // User and system time, in hundredths of a second on every Linux that Node runs on.
  return (Number(fields[11]) + Number(fields[12])) * 10;
}
