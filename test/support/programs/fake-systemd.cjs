#!/usr/bin/env node
// systemd as far as the agent uses it: `run …` (systemd-run), `ctl …` (systemctl), `journal …` (journalctl), over a table of
// units in the folder FAKE_SYSTEMD, one JSON file each. Units are real processes with a supervisor of their own.
'use strict';
const { spawn } = require('node:child_process');
const fs = require('node:fs');
const { constants } = require('node:os');
const path = require('node:path');

const table = process.env.FAKE_SYSTEMD;
const fileOf = (unit) => path.join(table, `${unit}.json`);
const load = (unit) =>
  fs.existsSync(fileOf(unit)) ? JSON.parse(fs.readFileSync(fileOf(unit), 'utf8')) : null;
const save = (unit, state) => {
  fs.writeFileSync(`${fileOf(unit)}.new`, JSON.stringify(state));
  fs.renameSync(`${fileOf(unit)}.new`, fileOf(unit));
};
const change = (unit, changes) => save(unit, { ...load(unit), ...changes });
const wait = (ms) => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
const fail = (message, status = 1) => {
  process.stderr.write(`${message}\n`);
  process.exit(status);
};

function run(args) {
  const at = args.indexOf('--');
  const properties = [];
  const setenv = {};
  let unit = '';
  for (const option of args.slice(0, at)) {
    const [, name, value] = /^--([a-z-]+)(?:=([^]*))?$/.exec(option);
    if (name === 'unit') unit = value;
    if (name === 'setenv') setenv[value.slice(0, value.indexOf('='))] = value.slice(value.indexOf('=') + 1);
    if (name === 'property')
      properties.push([value.slice(0, value.indexOf('=')), value.slice(value.indexOf('=') + 1)]);
  }
  if (load(unit) !== null) fail(`Failed to start transient service unit: Unit ${unit} was already loaded.`);
  const started = {
    LoadState: 'loaded',
    ActiveState: 'activating',
    SubState: 'start',
    Result: 'success',
    ActiveEnterTimestampMonotonic: '0',
  };
  save(unit, { ...started, properties, setenv, argv: args.slice(at + 1) });
  spawn(process.execPath, [__filename, 'supervise', unit], {
    detached: true,
    stdio: 'ignore',
    env: process.env,
  }).unref();
  while (load(unit).ActiveState === 'activating') wait(5);
  if (load(unit).ActiveEnterTimestampMonotonic === '0')
    fail(`Job for ${unit} failed because of unavailable resources or another system error.`);
}

// What a unit's main process is: its arguments expanded, its environment from its files, its output appended.
function supervise(unit) {
  const { properties, setenv, argv } = load(unit);
  const property = Object.fromEntries(properties);
  const env = { ...setenv };
  try {
    for (const [name, file] of properties)
      if (name === 'EnvironmentFile') Object.assign(env, readEnvironment(file));
    const expanded = argv.map((word) =>
      word.replace(/\$\$|\$\{?([A-Za-z_]\w*)\}?/g, (found, name) =>
        found === '$$' ? '$' : (env[name] ?? ''),
      ),
    );
    const open = (value) => fs.openSync(value.replace(/^append:/, ''), 'a');
    const child = spawn(expanded[0], expanded.slice(1), {
      cwd: property.WorkingDirectory,
      env,
      detached: true,
      stdio: ['ignore', open(property.StandardOutput), open(property.StandardError)],
    });
    child.on('error', () =>
      change(unit, {
        ActiveState: 'failed',
        SubState: 'failed',
        Result: 'exit-code',
        ExecMainCode: '1',
        ExecMainStatus: '203',
      }),
    );
    child.on('spawn', () =>
      change(unit, {
        ActiveState: 'active',
        SubState: 'running',
        pid: child.pid,
        ActiveEnterTimestampMonotonic: '12345',
      }),
    );
    child.on('exit', (code, signal) => change(unit, ended(code, signal)));
  } catch {
    change(unit, {
      ActiveState: 'failed',
      SubState: 'failed',
      Result: 'resources',
      ExecMainCode: '0',
      ExecMainStatus: '0',
    });
  }
}

// A clean death by SIGTERM is a success for systemd.
function ended(code, signal) {
  const clean = code === 0 || ['SIGTERM', 'SIGHUP', 'SIGINT', 'SIGPIPE'].includes(signal);
  return {
    ...(clean
      ? { ActiveState: 'active', SubState: 'exited' }
      : { ActiveState: 'failed', SubState: 'failed' }),
    Result: clean ? 'success' : code === null ? 'signal' : 'exit-code',
    ExecMainCode: code === null ? '2' : '1',
    ExecMainStatus: String(code ?? constants.signals[signal]),
  };
}

function readEnvironment(file) {
  const values = {};
  for (const [, name, value] of fs.readFileSync(file, 'utf8').matchAll(/^(\w+)="((?:[^"\\]|\\[^])*)"$/gm)) {
    values[name] = value.replace(/\\([^])/g, '$1');
  }
  return values;
}

function ctl(args) {
  const unit = args.at(-1);
  const state = load(unit);
  if (fs.existsSync(path.join(table, 'broken'))) fail('Failed to connect to bus: Connection refused');
  switch (args[0]) {
    case 'show':
      return show(args[1].replace('--property=', '').split(','), state);
    case 'stop':
      return state === null ? fail(`Failed to stop ${unit}: Unit ${unit} not loaded.`, 5) : stop(unit, state);
    case 'restart':
      return state === null ? fail(`Failed to restart ${unit}: Unit ${unit} not found.`, 5) : restart(state);
    case 'reset-failed':
      if (state === null) fail(`Failed to reset failed state of unit ${unit}: Unit ${unit} not loaded.`);
      return fs.rmSync(fileOf(unit));
    default:
      return fail(`Unknown command verb ${args[0]}.`);
  }
}

function show(properties, unit) {
  const state = unit?.SubState === 'running' ? { ...unit, MainPID: unit.pid } : unit;
  for (const name of properties) {
    const absent = name === 'LoadState' ? 'not-found' : name === 'ActiveState' ? 'inactive' : '';
    process.stdout.write(`${name}=${(state === null ? absent : state[name]) ?? ''}\n`);
  }
}

function stop(unit, state) {
  const limit = Object.fromEntries(state.properties ?? []).TimeoutStopSec?.replace('ms', '') ?? '1000';
  const signal = (name) => {
    try {
      process.kill(-state.pid, name);
    } catch {
      // nobody is left
    }
  };
  signal('SIGTERM');
  for (let waited = 0; waited < Number(limit) && load(unit).SubState === 'running'; waited += 5) wait(5);
  const killed = load(unit).SubState === 'running';
  signal('SIGKILL');
  while (load(unit).SubState === 'running') wait(5);
  if (killed) change(unit, { Result: 'timeout' });
  else if (load(unit).ActiveState !== 'failed') fs.rmSync(fileOf(unit));
}

function restart(state) {
  if (state.hangs) wait(60_000);
  if (state.fails) fail('Job for the unit failed. See "systemctl status".');
}

function journal(args) {
  const unit = args.find((arg) => arg.startsWith('--unit=')).slice('--unit='.length);
  const file = path.join(table, `${unit}.journal`);
  const lines = fs.existsSync(file) ? fs.readFileSync(file, 'utf8').trimEnd().split('\n') : [];
  const count = Number(args.find((arg) => arg.startsWith('--lines=')).slice('--lines='.length));
  process.stdout.write(
    lines
      .slice(-count)
      .map((line) => `${line}\n`)
      .join(''),
  );
}

const [act, ...args] = process.argv.slice(2);
({ run, ctl, journal, supervise: ([unit]) => supervise(unit) })[act](args);
