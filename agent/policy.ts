/** What `policy.yaml` on the host allows. Everything that is not listed is refused. */
export interface Policy {
  /** Where it was read from, for messages. */
  readonly file: string;
  readonly repositories: readonly string[];
  readonly paths: readonly string[];
  readonly units: readonly string[];
  readonly users: readonly string[];
  /** Command lines as one string each; `*` at the end of a word matches the rest of it, a last word `**` any more words. */
  readonly commands: readonly string[];
}
