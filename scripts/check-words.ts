/** Left open without saying where it is tracked; followed by the number as `(#12)` it is fine. */
const LEFT_OPEN = /\b(TO[D]O|FIX[M]E|X[X]X|HA[C]K)\b(?!\(#\d+\))/;

/** A check that was switched off in place instead of being met. */
const SILENCED = /((es|ox)lint-disable|@ts-(ignore|expect-error|nocheck)\b)|\b(describe|it)\.(skip|only)\(/;

const EXPORTED_FUNCTION = /^export (?:default )?(?:async )?function\*? (\w+)/;

/** Faults in the words of one file: things left open, silenced checks, exported functions without a doc comment. */
export function wordFaults(file: string, text: string): readonly string[] {
  const lines = text.split('\n');
  return lines.flatMap((line, index) => {
    const at = `${file}:${index + 1}:`;
    const name = EXPORTED_FUNCTION.exec(line)?.[1];
    return [
      ...(LEFT_OPEN.test(line) ? [`${at} left open without the number of an issue`] : []),
      ...(SILENCED.test(line) ? [`${at} a silenced check, or a skipped or focused test`] : []),
      ...(name !== undefined && !file.startsWith('test/') && !documented(lines, index)
        ? [`${at} the exported function ${name} has no doc comment`]
        : []),
    ];
  });
}

/** Whether a doc comment ends right above; of overloads, the first has it. */
function documented(lines: readonly string[], index: number): boolean {
  const above = lines[index - 1]?.trimEnd() ?? '';
  return above.endsWith('*/') || (above.startsWith('export function') && above.endsWith(';'));
}
