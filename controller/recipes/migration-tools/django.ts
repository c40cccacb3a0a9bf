import type { MigrationTool, ToolSettings, Way, Words } from './tool.js';

/**
 * Identifiers are `app.name`; the revision is the newest of each app, separated by spaces. What is recorded, pending and
 * irreversible is told by Django's own loader, since `showmigrations` knows files only.
 */
export const django: MigrationTool = {
  program: ['python3', 'manage.py'],
  directory: null,
  up: ({ program }) => [...program, 'migrate', '--no-input'],
  status: ({ program }) => [[...program, 'shell', '-c', STATUS]],
  down: {
    commands: downPerApp,
    begin: ({ program }) => [...program, 'migrate', '--no-input'],
    words: 2,
    oneByOne: false,
  },
  rebuild: null,
};

/** Undoing an app's migration takes along what depends on it in other apps, so those later commands find nothing to do. */
function downPerApp({ program }: ToolSettings, { before, applied }: Way): readonly Words[] {
  const previous = new Map(before.revision.split(' ').map((id) => [appOf(id), id]));
  return [...new Set(applied.map(appOf))].map((app) => {
    const target = previous.get(app)?.slice(app.length + 1) ?? 'zero';
    return [...program, 'migrate', '--no-input', app, target];
  });
}

function appOf(id: string): string {
  return id.slice(0, id.indexOf('.'));
}

const STATUS = [
  'import json',
  'from django.db import connection',
  'from django.db.migrations.executor import MigrationExecutor',
  'e = MigrationExecutor(connection)',
  'leaves = e.loader.graph.leaf_nodes()',
  'done = {".".join(k[:2]) for k in e.loader.applied_migrations}',
  'known = [str(m) for m, _ in e.migration_plan(leaves, clean_start=True)]',
  'left = [m for m, _ in e.migration_plan(leaves)]',
  'print(json.dumps({"applied": [n for n in known if n in done] + sorted(done - set(known)), "pending": [str(m) for m in left], "irreversible": [str(m) for m in left if not all(o.reversible for o in m.operations)]}))',
].join('; ');
