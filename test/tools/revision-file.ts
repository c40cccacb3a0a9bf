import type { MigrationFiles } from '../support/migration-scenarios.js';

/** A revision of alembic that makes the table tN, behind revision N-1. */
export function revisionFile(
  folder: string,
  number: number,
  flaw: 'fails' | 'no_way_down' | undefined,
): MigrationFiles {
  const id = `a00${number}`;
  const parent = number === 1 ? 'None' : `'a00${number - 1}'`;
  const text = `"""table t${number}

Revision ID: ${id}
Revises: ${parent}
"""
from alembic import op
import sqlalchemy as sa

revision = '${id}'
down_revision = ${parent}
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table('t${number}', sa.Column('id', sa.Integer, primary_key=True))
${flaw === 'fails' ? `    op.execute('boom')\n` : ''}

def downgrade() -> None:
    ${flaw === 'no_way_down' ? 'pass' : `op.drop_table('t${number}')`}
`;
  return { id, files: { [`${folder}/${id}_t${number}.py`]: text } };
}
