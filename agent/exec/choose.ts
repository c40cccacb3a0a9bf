import { existsSync } from 'node:fs';
import { childProcessExec } from './child-process.js';
import type { Exec } from './exec.js';
import { transientUnitExec } from './transient-unit.js';

/** What decides how commands are started. */
export interface Host {
  /** systemd is process 1. */
  readonly systemd: boolean;
  readonly root: boolean;
}

/** As this host is: the folder is there exactly where systemd is process 1 (sd_booted(3)). */
export function thisHost(): Host {
  return { systemd: existsSync('/run/systemd/system'), root: process.getuid?.() === 0 };
}

/** Transient units where systemd is process 1 and we are root; otherwise detached process groups. */
export function executorFor(host: Host = thisHost()): Exec {
  return host.systemd && host.root ? transientUnitExec() : childProcessExec();
}
