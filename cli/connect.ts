import { Control } from './client.js';
import type { CliEnvironment } from './config.js';
import { findEndpoint, type Wish } from './endpoint.js';

/** Opens the connection a command works with, closes it afterwards. Nothing is sent before `act` asks. */
export async function withControl<T>(
  wish: Wish,
  environment: CliEnvironment,
  act: (control: Control) => Promise<T>,
): Promise<T> {
  const control = new Control(await findEndpoint(wish, environment));
  try {
    return await act(control);
  } finally {
    control.close();
  }
}
