/** Files in buckets. */

/** Reads and writes objects by their gs:// address. */
export interface Objects {
  /** The object's bytes; null when there is none. Throws RejectedError above `bytesMax`. */
  readonly read: (uri: string, bytesMax: number) => Promise<Buffer | null>;
  readonly write: (uri: string, body: Buffer, contentType: string) => Promise<void>;
  /** Addresses under a gs:// prefix, sorted. */
  readonly list: (prefix: string) => Promise<readonly string[]>;
}
