/** Whether a name matches a pattern, see `globPattern`. */
export function matchesGlob(name: string, pattern: string): boolean {
  return globPattern(pattern).test(name);
}

/**
 * A pattern as a regular expression: `*` stands for anything but a slash, `**` for anything, `**` and a slash for any
 * folders or none, `?` for one character that is no slash; everything else stands for itself.
 */
export function globPattern(pattern: string): RegExp {
  const parts = pattern.split(/((?<![^/])\*\*\/|\*\*|\*|\?)/).map((part) => {
    if (part === '**/') return '(?:.*/)?';
    if (part === '**') return '.*';
    if (part === '*') return '[^/]*';
    if (part === '?') return '[^/]';
    return part.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&');
  });
  return new RegExp(`^${parts.join('')}$`, 'su');
}
