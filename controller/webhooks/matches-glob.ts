/**
 * Whether a name matches a pattern: `*` stands for anything but a slash, `**` for anything, `?` for one character that
 * is no slash; everything else stands for itself.
 */
export function matchesGlob(name: string, pattern: string): boolean {
  const parts = pattern.split(/(\*\*|\*|\?)/).map((part) => {
    if (part === '**') return '.*';
    if (part === '*') return '[^/]*';
    if (part === '?') return '[^/]';
    return part.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&');
  });
  return new RegExp(`^${parts.join('')}$`, 'su').test(name);
}
