/** The lines that go (`-`) and come (`+`) from one text to the other, in their order; what stays is left out. Pure. */
export function compareLines(before: string, after: string): string[] {
  const [from, to] = [linesOf(before), linesOf(after)];
  const common = longestCommon(from, to);
  const changed: string[] = [];
  let [i, j] = [0, 0];
  while (i < from.length || j < to.length) {
    if (i < from.length && j < to.length && from[i] === to[j]) {
      i++;
      j++;
    } else if (j >= to.length || (i < from.length && at(common, i + 1, j) >= at(common, i, j + 1))) {
      changed.push(`-${from[i++]}`);
    } else {
      changed.push(`+${to[j++]}`);
    }
  }
  return changed;
}

function linesOf(text: string): readonly string[] {
  return text === '' ? [] : text.replace(/\n$/, '').split('\n');
}

/** How many lines two texts share from line i and j on. */
function longestCommon(from: readonly string[], to: readonly string[]): readonly (readonly number[])[] {
  const table = Array.from({ length: from.length + 1 }, () => Array.from({ length: to.length + 1 }, () => 0));
  for (let i = from.length - 1; i >= 0; i--) {
    const row = table[i] as number[];
    for (let j = to.length - 1; j >= 0; j--)
      row[j] =
        from[i] === to[j] ? at(table, i + 1, j + 1) + 1 : Math.max(at(table, i + 1, j), at(table, i, j + 1));
  }
  return table;
}

function at(table: readonly (readonly number[])[], i: number, j: number): number {
  return table[i]?.[j] as number;
}
