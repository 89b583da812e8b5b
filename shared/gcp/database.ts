/** What the database is told besides its documents; Terraform, the laptop and the doctor read it here. */

/** An index over several fields, by the order in which they stand. */
export interface CompositeIndex {
  readonly collection: string;
  readonly fields: readonly {
    readonly path: string;
    readonly order: "ASCENDING" | "DESCENDING";
  }[];
}

/** Fields, those that end with - from the highest value down. */
const index = (collection: string, ...paths: readonly string[]): CompositeIndex => ({
  collection,
  fields: paths.map((path) =>
    path.endsWith("-")
      ? { path: path.slice(0, -1), order: "DESCENDING" }
      : { path, order: "ASCENDING" },
  ),
});

/** The database's own settings. */
export interface DatabaseSettings {
  /** Composite indexes, by a name of ours. */
  readonly indexes: Readonly<Record<string, CompositeIndex>>;
  /** Fields that have no index at all. */
  readonly withoutIndex: readonly { readonly collection: string; readonly field: string }[];
  /** Collections whose documents go by themselves, and the field that says when. */
  readonly expiring: Readonly<Record<string, string>>;
}

/** The one list; a contract test compares the indexes with every query that the adapters make. */
export const database: DatabaseSettings = {
  indexes: {
    "journal-pending": index("journal", "pendingSlot", "receivedAtMs"),
    "journal-slot": index("journal", "slot", "receivedAtMs-"),
    "journal-model": index("journal", "model", "receivedAtMs-"),
    "journal-correlation": index("journal", "correlationId", "receivedAtMs-"),
    "journal-correlation-model": index("journal", "correlationId", "model", "receivedAtMs-"),
    "journal-chain": index("journal", "model", "sequence"),
    "due-slot": index("due", "slot", "dueAtMs"),
    "runs-model": index("runs", "model", "endedAtMs-"),
    "submissions-slot": index("submissions", "accelerator", "slot", "enqueuedAtMs"),
    "rollouts-model": index("rollouts", "model", "endedAtMs-"),
  },
  // Times that rise with every write would make one range of an index take all of them; texts are never searched.
  withoutIndex: [
    { collection: "journal", field: "entry" },
    { collection: "journal", field: "receivedAtMs" },
    { collection: "journal", field: "sequence" },
    { collection: "due", field: "dueAtMs" },
    { collection: "models", field: "state" },
    { collection: "runs", field: "record" },
    { collection: "rollouts", field: "record" },
  ],
  expiring: { alertCounts: "expireAt", journal: "expireAt" },
};
