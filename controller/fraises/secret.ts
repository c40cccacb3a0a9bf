import { FraisierError } from '../../proto/error-codes.js';
import type { Secret } from './fraises.js';

const REFERENCE = /\$\{([^}]*)\}/g;
const NAME_AND_DEFAULT = /^([A-Za-z_][A-Za-z0-9_]*)(?::-(.*))?$/s;

/**
 * The value of a secret, from the environment as it is now. Not to be stored or logged.
 * @throws FraisierError `invalid_configuration` naming the variable, when it or the whole resolves to nothing.
 */
export function resolveSecret(
  secret: Secret,
  environment: Readonly<Record<string, string | undefined>>,
): string {
  const fault = templateFault(secret.template);
  if (fault !== null) throw new FraisierError('invalid_configuration', `${secret.path}: ${fault}`);
  const value = secret.template.replaceAll(REFERENCE, (_, inside: string) => {
    const [, name = '', otherwise] = NAME_AND_DEFAULT.exec(inside) as RegExpExecArray;
    const set = Object.hasOwn(environment, name) ? environment[name] : undefined;
    const found = set === undefined || set === '' ? otherwise : set;
    if (found === undefined || found === '') throw unset(secret, name);
    return found;
  });
  if (value === '') throw new FraisierError('invalid_configuration', `${secret.path}: the secret is empty`);
  return value;
}

/** What is wrong with the `${…}` of a template, or null. Says nothing of its value. */
export function templateFault(template: string): string | null {
  const rest = template.replaceAll(REFERENCE, (whole, inside: string) =>
    NAME_AND_DEFAULT.test(inside) ? '' : whole,
  );
  return rest.includes('${') ? 'has a malformed ${…}; write ${NAME} or ${NAME:-default}' : null;
}

function unset(secret: Secret, name: string): FraisierError {
  return new FraisierError(
    'invalid_configuration',
    `${secret.path}: \${${name}} is not set, or empty, in the controller's environment`,
    { hint: `set ${name} in the controller's environment and restart it`, facts: { variable: name } },
  );
}
