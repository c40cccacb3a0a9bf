import { Control } from './client.js';
import type { CliEnvironment } from './config.js';
import { storeContext } from './contexts.js';
import { broughtToken, normalAddress, readTextFile, vouchedFor, type Endpoint } from './endpoint.js';

export interface LoginWish {
  readonly address: string;
  readonly tokenFile: string | undefined;
  readonly name: string | undefined;
}

export interface LoggedIn {
  readonly context: string;
  readonly address: string;
  readonly name: string;
  readonly role: string;
  readonly controllerVersion: string;
}

/** Checks the controller and the token by asking who we are, and only then stores both as the current context. */
export async function login(wish: LoginWish, environment: CliEnvironment): Promise<LoggedIn> {
  const endpoint = await endpointOf(wish, environment);
  const control = new Control(endpoint);
  try {
    const { name, role, controllerVersion } = await control.ask('whoAmI', {});
    const context = wish.name ?? nameOf(endpoint.address);
    const secrets =
      endpoint.kind === 'tls'
        ? { token: endpoint.token, authority: endpoint.authority }
        : { token: '', authority: '' };
    await storeContext(environment.contextsFile, context, { address: endpoint.address, ...secrets });
    return { context, address: endpoint.address, name, role, controllerVersion };
  } finally {
    control.close();
  }
}

async function endpointOf(wish: LoginWish, environment: CliEnvironment): Promise<Endpoint> {
  const address = normalAddress(wish.address);
  if (address.startsWith('unix:')) return { kind: 'socket', address, path: address.slice('unix:'.length) };
  return vouchedFor(address, (await broughtToken(wish, environment)) ?? (await readTextFile('-')));
}

function nameOf(address: string): string {
  return address.startsWith('unix:') ? 'local' : address.replace(/:\d+$/, '');
}
