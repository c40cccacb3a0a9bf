/** What this build speaks. A controller or agent of version N also speaks N − 1. */
export const PROTOCOL_VERSION = 1;

/** Oldest version this build still understands. */
export const OLDEST_PROTOCOL_VERSION = Math.max(1, PROTOCOL_VERSION - 1);

/**
 * Says which side must be upgraded when `theirs` is not spoken here, as one sentence, or `undefined` when it is.
 * `us` and `them` are the words for the two sides, e.g. `controller` and `agent`.
 */
export function protocolMismatch(theirs: number, us: string, them: string): string | undefined {
  if (theirs > PROTOCOL_VERSION) {
    return `the ${them} speaks protocol ${theirs}, this ${us} at most ${PROTOCOL_VERSION}: upgrade the ${us}`;
  }
  if (theirs < OLDEST_PROTOCOL_VERSION) {
    return `the ${them} speaks protocol ${theirs}, this ${us} at least ${OLDEST_PROTOCOL_VERSION}: upgrade the ${them}`;
  }
  return undefined;
}
