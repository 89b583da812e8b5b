/** Writing log entries that others react to. */

/** Cloud Logging, for entries that are part of a protocol (our own detector's anomalies). */
export interface Logs {
  /** Writes one structured entry; entries with the same insertId and timestamp count once. */
  readonly write: (entry: {
    readonly log: string;
    readonly insertId: string;
    readonly timestampMs: number;
    readonly severity: "INFO" | "WARNING" | "ERROR";
    readonly resourceType: string;
    readonly resourceLabels: Readonly<Record<string, string>>;
    readonly payload: Readonly<Record<string, unknown>>;
  }) => Promise<void>;
}
