import { commandLine, milliseconds } from './build-command.js';
import { HOOK_POINTS } from './fraises.js';
import type { Hook, Hooks } from './fraises.js';
import type { WrittenHook, WrittenHooks, WrittenPoint } from './schema-hooks.js';

const HOOK_MS = 60_000;

/** The hooks of an environment, with their defaults; points without one are not in it. */
export function buildHooks(written: WrittenHooks = {}): Hooks {
  const named: WrittenHooks = {
    ...written,
    after_health: written.after_health ?? written.after_deploy,
    on_rollback: written.on_rollback ?? written.after_rollback,
  };
  return Object.fromEntries(
    HOOK_POINTS.flatMap((point) => {
      const here = named[point];
      return here === undefined ? [] : [[point, hooksOf(here)]];
    }),
  );
}

/** A list of texts is the words of one command, any other list holds hooks. */
function hooksOf(written: WrittenPoint): readonly Hook[] {
  if (!Array.isArray(written)) return [hook(written)];
  const words = written.filter((item) => typeof item === 'string');
  if (words.length === written.length) return [hook(words)];
  return written.map(hook);
}

function hook(written: WrittenHook | string | string[]): Hook {
  const said: WrittenHook =
    typeof written === 'string' || Array.isArray(written) ? { command: written } : written;
  return {
    command: commandLine(said.command),
    user: said.user ?? null,
    timeoutMs: milliseconds(said.timeout, HOOK_MS),
    environment: { ...said.environment },
    repeatable: said.repeatable ?? false,
  };
}
