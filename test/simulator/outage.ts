/** What a program gets to see of a fault that the simulator made; any other error is one of the program. */
export class Outage extends Error {
  readonly code: string;
  readonly errno = -1;

  constructor(message: string, code = 'ECONNRESET') {
    super(message);
    this.name = 'Outage';
    this.code = code;
  }
}

/** Whether an error is, or comes from, one that the simulator made. */
export function isOutage(error: unknown): boolean {
  if (error instanceof Outage) return true;
  return error instanceof Error && error.cause !== undefined && isOutage(error.cause);
}
