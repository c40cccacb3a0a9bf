/** What agents are asked. Part of `Ledger`. */
export interface QuestionLedger {
  insertQuestion(question: NewQuestion): Promise<void>;
  /** Unanswered and within their deadline, for this host, oldest first. */
  openQuestions(host: string): Promise<readonly QuestionRow[]>;
  question(id: string): Promise<QuestionRow | null>;
  /** First answer wins; false when it was answered before or is unknown. */
  answerQuestion(id: string, host: string, answer: Uint8Array): Promise<boolean>;
}

export interface NewQuestion {
  readonly id: string;
  readonly host: string;
  /** A `Question`, as protobuf bytes. */
  readonly question: Uint8Array;
  readonly deadlineMs: number;
}

export interface QuestionRow {
  readonly id: string;
  readonly host: string;
  readonly question: Uint8Array;
  readonly expiresAt: Date;
  readonly answer: Uint8Array | null;
}
