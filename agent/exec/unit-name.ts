import { createHash } from 'node:crypto';

/** Of a unit's name with its suffix (systemd: 255). */
const LONGEST = 255;

/**
 * `fraisier-<id>.service`, in the characters that systemd allows without escaping. An id with other characters or too
 * long for a name is cut and made unique by a hash of the whole.
 */
export function unitNameOf(id: string): string {
  const plain = id.replace(/[^A-Za-z0-9:_.-]/g, '_');
  const name = `fraisier-${plain}.service`;
  if (plain === id && name.length <= LONGEST) return name;
  const hash = createHash('sha256').update(id).digest('hex').slice(0, 16);
  return `fraisier-${plain.slice(0, 200)}-${hash}.service`;
}
