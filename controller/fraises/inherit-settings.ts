import { error, warning } from './finding.js';
import type { Finding, Path } from './finding.js';
import type { WrittenSettings } from './fraises-schema.js';

/** What holds for one environment, in this version's words, and where each of it was written. */
export interface Settings {
  readonly values: Omit<WrittenSettings, AliasKey>;
  /** The path of a setting, at the environment or at its fraise; of the environment itself for one nobody wrote. */
  readonly pathOf: (key: SettingKey, ...inside: Path) => Path;
  readonly findings: readonly Finding[];
}

export type SettingKey = Exclude<keyof WrittenSettings, AliasKey>;
type AliasKey = 'clone_url' | 'git_repo' | 'server' | 'deploy_user';

/** Settings as one map of the file holds them. */
interface Level {
  readonly values: Omit<WrittenSettings, AliasKey>;
  readonly paths: Readonly<Partial<Record<SettingKey, Path>>>;
  readonly findings: readonly Finding[];
}

/**
 * Every key of a fraise holds for its environments; an environment that has the key itself replaces the whole value.
 * Of `systemd_service` and `restart` the one written nearer to the environment wins.
 */
export function inheritSettings(
  fraise: WrittenSettings,
  environment: WrittenSettings,
  fraisePath: Path,
  environmentPath: Path,
): Settings {
  const far = level(fraise, fraisePath);
  const near = level(environment, environmentPath);
  const inherited = { ...far.values };
  if (near.values.restart !== undefined) {
    delete inherited.systemd_service;
    delete inherited.systemd_socket;
    delete inherited.restart_mode;
  }
  if (near.values.systemd_service !== undefined) delete inherited.restart;
  return {
    values: { ...inherited, ...near.values },
    pathOf: (key, ...inside) => {
      const written = near.paths[key] ?? far.paths[key];
      return written === undefined ? [...environmentPath, key, ...inside] : [...written, ...inside];
    },
    findings: [...far.findings, ...near.findings],
  };
}

function level(written: WrittenSettings, path: Path): Level {
  const { clone_url, git_repo, server, deploy_user, ...values } = written;
  const own = Object.keys(values).map((key) => [key, [...path, key]] as const);
  const paths: Partial<Record<SettingKey, Path>> = Object.fromEntries(own);
  const findings: Finding[] = [];
  const alias = <K extends 'repository' | 'hosts' | 'user'>(
    key: K,
    as: AliasKey,
    value: WrittenSettings[K],
  ) => {
    if (value === undefined) return;
    if (values[key] !== undefined) {
      findings.push(secondName(key, as, [...path, as]));
      return;
    }
    values[key] = value;
    paths[key] = [...path, as];
  };
  alias('repository', 'clone_url', clone_url);
  alias('repository', 'git_repo', git_repo);
  alias('hosts', 'server', server);
  alias('user', 'deploy_user', deploy_user);
  return { values, paths, findings };
}

function secondName(key: string, alias: AliasKey, path: Path): Finding {
  if (alias === 'git_repo') {
    return warning(path, 'not used beside a repository: the agent keeps a mirror of its own', 'key');
  }
  return error(path, `is the original's name for ${key}, which is here too; keep one of them`, 'key');
}
