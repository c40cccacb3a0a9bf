/**
 * Whether the text of a migration shows that there is no way down: an empty one that does nothing would be taken for one
 * that undid everything. Only what a text can show: a way down that is there may still be wrong.
 */
export function hasNoWayDown(tool: string, text: string): boolean {
  switch (tool) {
    case 'dbmate':
      return isEmptySql(text.split(/^--[ \t]*migrate:down.*$/m)[1] ?? '');
    case 'knex':
      return !EXPORTS_DOWN.test(text) || EMPTY_DOWN.test(withoutComments(text));
    case 'alembic':
    case 'flask_migrate':
      return isEmptyPython(bodyOf(text, 'downgrade'));
    default:
      return false;
  }
}

/** Comments and semicolons do nothing. */
export function isEmptySql(sql: string): boolean {
  return (
    sql
      .replace(/--.*$/gm, '')
      .replace(/\/\*[\s\S]*?\*\//g, '')
      .replace(/[\s;]/g, '') === ''
  );
}

const EXPORTS_DOWN =
  /\bexports\.down\b|\bexport\s+(?:async\s+)?function\s+down\b|\bexport\s+(?:const|let|var)\s+down\b|\b(?:module\.exports|export\s+default)\s*=?\s*\{[^]*\bdown\b|\bexport\s*\{[^}]*\bdown\b/;

/** knex itself refuses a file without `down`, so what cannot be undone is written as a function that does nothing or throws. */
const EMPTY_DOWN =
  /\bdown\b\s*[:=]?\s*(?:async\s+)?(?:function\b\s*\w*\s*)?\([^)]*\)\s*(?::[^{=]+)?(?:=>\s*)?\{\s*(?:return;?\s*)?(?:\}|throw\b)/;

function withoutComments(text: string): string {
  return text.replace(/\/\*[^]*?\*\//g, '').replace(/^\s*\/\/.*$/gm, '');
}

/** The indented lines behind `def NAME(…):`, without comments and a docstring; null when there is no such function. */
function bodyOf(text: string, name: string): readonly string[] | null {
  const lines = text.split(/\r?\n/);
  const from = lines.findIndex((line) => new RegExp(`^def\\s+${name}\\s*\\(`).test(line));
  if (from < 0) return null;
  const head = lines.slice(from).findIndex((line) => /:\s*(?:#.*)?$/.test(line));
  const rest = lines.slice(from + head + 1);
  const end = rest.findIndex((line) => /^\S/.test(line) && !line.startsWith('#'));
  const body = (end < 0 ? rest : rest.slice(0, end)).join('\n');
  const plain = body.replace(/^\s*(?:"""[^]*?"""|'''[^]*?''')/, '').replace(/^\s*#.*$/gm, '');
  return plain
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '');
}

function isEmptyPython(body: readonly string[] | null): boolean {
  if (body === null) return true;
  const [first = 'pass'] = body;
  if (/^raise\b/.test(first)) return true;
  return body.every((line) => /^(?:pass|\.\.\.|return(?: None)?)$/.test(line));
}
