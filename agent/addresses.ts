import { formatAddress, parseAddress } from '../proto/address.js';

/** The controllers' ports as they are unless told otherwise. */
const COMMAND_LINE_PORT = 9090;
const AGENTS_PORT = 9091;

/**
 * Where to dial: what the controllers said of themselves first, then what the operator said, which names the command
 * line's port and serves when every controller has moved.
 */
export function agentAddresses(known: readonly string[], said: readonly string[]): readonly string[] {
  const guessed = said.map((address) => {
    const { host, port } = parseAddress(address, AGENTS_PORT);
    return formatAddress({ host, port: port === COMMAND_LINE_PORT ? AGENTS_PORT : port });
  });
  return [...new Set([...known, ...guessed])];
}
