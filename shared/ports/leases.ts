/** Who may write where the target itself cannot keep two writers apart. */

/** Called before each write of an adapter; throws UnavailableError when the write would come too late. */
export type Fence = () => void;

/** The right to write to one target for a while. */
export interface Lease {
  readonly name: string;
  /** Counts the holders: whoever comes later has a higher one. */
  readonly epoch: number;
  /** What the holder before it wrote for certain; null when that is not known. */
  readonly written: string | null;
  /** Whether a write that is sent now ends before anybody else can hold the lease. */
  readonly isCurrent: () => boolean;
}

/** The leases. Their times are those of the store, so that no other clock matters. */
export interface Leases {
  /**
   * Takes a lease that is free, or that its holder has not given back within `lastsMs`; null while somebody else holds
   * it. Whoever takes the same lease must mean the same time.
   */
  readonly acquire: (name: string, lastsMs: number) => Promise<Lease | null>;
  /** Gives a lease back with what was written under it; does nothing when somebody else has taken it since. */
  readonly release: (lease: Lease, written: string | null) => Promise<void>;
}

/** How soon a write must be sent that ends, with its deadline and its repetitions, before its lease does. */
export const sendWithinMs = (lastsMs: number): number => lastsMs / 4;
