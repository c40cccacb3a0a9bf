import { FraisierError } from '../../proto/error-codes.js';
import type { Configuration, Environment, Fraise } from './fraises.js';
import { didYouMean } from './nearest.js';

/** @throws FraisierError `unknown_fraise` or `unknown_environment`, naming the nearest and listing what exists. */
export function findEnvironment(
  configuration: Configuration,
  fraise: string,
  environment: string,
): Environment {
  const { environments } = findFraise(configuration, fraise);
  const found = Object.hasOwn(environments, environment) ? environments[environment] : undefined;
  if (found !== undefined) return found;
  throw unknown('unknown_environment', `the fraise ${fraise} has no environment`, environment, environments);
}

/** @throws FraisierError `unknown_fraise`, naming the nearest and listing what exists. */
export function findFraise(configuration: Configuration, fraise: string): Fraise {
  const found = Object.hasOwn(configuration.fraises, fraise) ? configuration.fraises[fraise] : undefined;
  if (found !== undefined) return found;
  throw unknown('unknown_fraise', 'there is no fraise', fraise, configuration.fraises);
}

function unknown(
  code: 'unknown_fraise' | 'unknown_environment',
  what: string,
  asked: string,
  existing: Readonly<Record<string, unknown>>,
): FraisierError {
  const names = Object.keys(existing);
  const shown = asked.slice(0, 100);
  return new FraisierError(
    code,
    `${what} "${shown}"${didYouMean(asked, names)}; there is ${names.join(', ')}`,
    {
      hint: 'fraisier list',
      facts: { asked: shown },
    },
  );
}
