const DEFAULT_LIMIT = 20;
const LARGEST_LIMIT = 500;

/** How many rows a page has when so many are asked for; 0: as many as usual. */
export function pageOf(limit: number): number {
  return Math.min(limit || DEFAULT_LIMIT, LARGEST_LIMIT);
}
