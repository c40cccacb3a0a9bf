/**
 * The same message with every control character in its texts turned into a space: what a host or a git server said
 * must not move the cursor of whoever reads it. Times and bytes are left as they are.
 */
export function forTerminal<T>(message: T): T {
  return cleaned(message) as T;
}

/** One text; line breaks may stay where they are meant. */
export function withoutControls(text: string, keep: 'lines' | 'nothing' = 'nothing'): string {
  return keep === 'lines'
    ? text
        .split('\n')
        .map((line) => withoutControls(line))
        .join('\n')
    : text.replaceAll(/\p{Cc}+/gu, ' ');
}

function cleaned(value: unknown): unknown {
  if (typeof value === 'string') return withoutControls(value);
  if (Array.isArray(value)) return value.map(cleaned);
  if (typeof value !== 'object' || value === null || value instanceof Date || value instanceof Uint8Array)
    return value;
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, cleaned(inner)]));
}
