import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { FraisierError } from '../../../proto/error-codes.js';
import { packageRoot } from '../../../proto/package-root.js';
import type { Configuration, Environment } from '../../../controller/fraises/fraises.js';
import { findEnvironment } from '../../../controller/fraises/find-environment.js';
import { checkFraises, parseFraises } from '../../../controller/fraises/parse-fraises.js';

/** The sample of the original's plan, as it stands. */
export const ORIGINAL_SAMPLE = `
git: { provider: github, github: { webhook_secret: test-secret } }      # a short secret is a warning
fraises:
  test_api:
    type: api
    description: Test API
    environments:
      development: { app_path: /tmp/api, systemd_service: api.service }
`;

/** A file that is shipped beside the code. */
export function shipped(file: string): string {
  return readFileSync(join(packageRoot(), 'controller', 'fraises', file), 'utf8');
}

/** One api `shop` with an environment `dev` that holds these lines, besides what it needs. */
export function withSettings(...lines: readonly string[]): string {
  const inner = ['app_path: /srv/shop', ...lines].map((line) => `        ${line}`).join('\n');
  return `fraises:\n  shop:\n    type: api\n    environments:\n      dev:\n${inner}\n`;
}

export function environmentWith(...lines: readonly string[]): Environment {
  return findEnvironment(configurationOf(withSettings(...lines)), 'shop', 'dev');
}

export function configurationOf(text: string): Configuration {
  return parseFraises(text, 'fraises.yaml').configuration;
}

/** `line:column path: message` of every problem. */
export function problemsOf(text: string): string[] {
  return checkFraises(text).problems.map((one) => `${one.line}:${one.column} ${one.path}: ${one.message}`);
}

export function warningsOf(text: string): string[] {
  return checkFraises(text).warnings.map((one) => `${one.line}:${one.column} ${one.path}: ${one.message}`);
}

/** The error of a call that must fail with a FraisierError. */
export function refusal(call: () => unknown): FraisierError {
  try {
    call();
  } catch (fault) {
    if (fault instanceof FraisierError) return fault;
    throw fault;
  }
  throw new Error('nothing was thrown');
}
