import { FraisierError, reason } from '../../proto/error-codes.js';
import type { Reason } from '../../proto/gen/fraisier/v1/plan.js';
import { findEnvironment } from '../fraises/find-environment.js';
import type { Configuration, Environment } from '../fraises/fraises.js';
import { parseFraises } from '../fraises/parse-fraises.js';
import type { Ledger } from './ledger.js';
import type { ConfigurationRevision } from './ledger/configuration.js';
import type { DeploymentRow } from './ledger/deployment.js';

/** A configuration together with the number under which it was applied. */
export interface AppliedConfiguration {
  readonly revision: number;
  readonly configuration: Configuration;
}

/** The part of a configuration that one deployment is about. */
export interface Configured {
  readonly configuration: Configuration;
  readonly environment: Environment;
}

export interface NotUnderstood {
  readonly notUnderstood: Reason;
}

/** The configuration in force. Throws `no_configuration` when none was ever applied. */
export async function currentConfiguration(
  ledger: Pick<Ledger, 'currentConfiguration'>,
  before?: Map<number, Configuration>,
): Promise<AppliedConfiguration> {
  const found = await ledger.currentConfiguration();
  if (found === null) {
    throw new FraisierError('no_configuration', 'no configuration has been applied to this controller yet', {
      hint: 'fraisier apply fraises.yaml',
    });
  }
  return parsed(found, before);
}

/**
 * Under what a queued deployment starts. A reason when this controller does not understand it, as after a change of its
 * version. What the ledger throws says nothing of it and is thrown.
 */
export async function configuredFor(
  ledger: Pick<Ledger, 'configurationRevision'>,
  { fraise, environment, configRevision: revision }: DeploymentRow,
  before?: Map<number, Configuration>,
): Promise<Configured | NotUnderstood> {
  const found = before?.get(revision) ?? (await ledger.configurationRevision(revision));
  if (found === null) return { notUnderstood: missing(revision) };
  try {
    const configuration = 'text' in found ? parsed(found, before).configuration : found;
    return { configuration, environment: findEnvironment(configuration, fraise, environment) };
  } catch (error) {
    if (error instanceof FraisierError) return { notUnderstood: notUnderstood(revision, error) };
    throw error;
  }
}

const AGAIN = 'fraisier apply FILE, and deploy again';

function missing(revision: number): Reason {
  const message = `configuration ${revision}, under which it was queued, is not in the ledger`;
  return reason('no_configuration', message, { hint: AGAIN });
}

function notUnderstood(revision: number, { message, reason: why }: FraisierError): Reason {
  const [first] = message.split('\n');
  return {
    ...why,
    message: `this controller does not understand configuration ${revision}, under which it was queued: ${first}`,
    hint: AGAIN,
  };
}

/** A revision never changes: one that was parsed before is taken from `before`. */
export function parsed(
  { revision, text, fileName }: ConfigurationRevision,
  before = new Map<number, Configuration>(),
): AppliedConfiguration {
  const configuration = before.get(revision) ?? parseFraises(text, fileName).configuration;
  before.set(revision, configuration);
  return { revision, configuration };
}
