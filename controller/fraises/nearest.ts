/** The known word that was probably meant, or null when nothing is near enough to be worth saying. */
export function nearest(written: string, known: readonly string[]): string | null {
  const word = written.slice(0, 64).toLowerCase();
  const most = Math.max(1, Math.floor(word.length / 3));
  const near = known
    .map((candidate) => ({ candidate, distance: distance(word, candidate.toLowerCase()) }))
    .filter((one) => one.distance <= most)
    .sort((a, b) => a.distance - b.distance);
  return near[0]?.candidate ?? null;
}

/** ` (did you mean X?)`, or nothing. */
export function didYouMean(written: unknown, known: readonly string[]): string {
  const meant = typeof written === 'string' ? nearest(written, known) : null;
  return meant === null ? '' : ` (did you mean ${meant}?)`;
}

/** Edits between two words; two neighbours swapped count as one. */
function distance(a: string, b: string): number {
  let twoAbove: number[] = [];
  let above = Array.from({ length: b.length + 1 }, (_, column) => column);
  for (let row = 1; row <= a.length; row++) {
    const line = [row];
    for (let column = 1; column <= b.length; column++) {
      const same = a[row - 1] === b[column - 1] ? 0 : 1;
      let edits = Math.min(at(above, column) + 1, at(line, column - 1) + 1, at(above, column - 1) + same);
      const swapped = row > 1 && column > 1 && a[row - 1] === b[column - 2] && a[row - 2] === b[column - 1];
      if (swapped) edits = Math.min(edits, at(twoAbove, column - 2) + 1);
      line.push(edits);
    }
    twoAbove = above;
    above = line;
  }
  return at(above, b.length);
}

function at(line: readonly number[], column: number): number {
  return line[column] as number;
}
