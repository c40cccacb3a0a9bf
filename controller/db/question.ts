import type { NewQuestion, QuestionRow } from '../deployments/ledger/question.js';
import { bytes, clock, clockPlus, toBuffer } from './row.js';
import type { Db } from './row.js';

interface Row {
  readonly id: string;
  readonly host: string;
  readonly question: Uint8Array;
  readonly expires_at: Date;
  readonly answer: Uint8Array | null;
}

/** Its deadline counts from the database’s now. */
export async function insertQuestion(db: Db, { id, host, question, deadlineMs }: NewQuestion): Promise<void> {
  await db('tb_question').insert({
    id,
    host,
    question: toBuffer(question),
    expires_at: clockPlus(db, deadlineMs),
  });
}

/** Oldest first. */
export async function openQuestions(db: Db, host: string): Promise<readonly QuestionRow[]> {
  const rows = await db('tb_question')
    .where({ host })
    .whereNull('answer')
    .whereRaw('expires_at > clock_timestamp()')
    .orderBy('position')
    .select<Row[]>();
  return rows.map(fromRow);
}

/** Null when there is none of this id. */
export async function question(db: Db, id: string): Promise<QuestionRow | null> {
  const [row] = await db('tb_question').where({ id }).select<Row[]>();
  return row === undefined ? null : fromRow(row);
}

/** A late answer counts too, as long as it is the first: whoever asked decides whether it still waits. */
export async function answerQuestion(db: Db, id: string, host: string, answer: Uint8Array): Promise<boolean> {
  const answered = await db('tb_question')
    .where({ id, host })
    .whereNull('answer')
    .update({ answer: toBuffer(answer), answered_at: clock(db) });
  return answered === 1;
}

function fromRow(row: Row): QuestionRow {
  return {
    id: row.id,
    host: row.host,
    question: bytes(row.question),
    expiresAt: row.expires_at,
    answer: row.answer === null ? null : bytes(row.answer),
  };
}
