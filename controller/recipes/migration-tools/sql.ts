import { directoryFlag, type MigrationTool, type ToolSettings, type Words } from './tool.js';

/** Numbered files `NNN_name.up.sql` and `.down.sql`, run by the agent's own program (agent/migrations/sql-program.ts). */
export const sql: MigrationTool = {
  program: ['fraisier', 'sql'],
  directory: 'the folder of the files (default: migrations)',
  up: (settings) => sqlCommand(settings, 'up'),
  status: (settings) => [sqlCommand(settings, 'status')],
  down: {
    commands: (settings, { applied }) => applied.map((id) => [...sqlCommand(settings, 'down'), id]),
    begin: (settings) => sqlCommand(settings, 'down'),
    words: 1,
    oneByOne: false,
  },
  rebuild: (settings) => [sqlCommand(settings, 'rebuild')],
};

function sqlCommand(settings: ToolSettings, command: string): Words {
  return [...settings.program, command, ...directoryFlag('--directory', settings)];
}
