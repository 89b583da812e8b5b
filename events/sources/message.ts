/** A Pub/Sub message as the edge hands it to the sources. */
import type { ContinuoEvent } from "../index.js";

/** One delivered message; `body` is its data read as JSON, undefined when it has none or is no JSON. */
export interface Message {
  readonly id: string;
  readonly publishTime: string;
  readonly attributes: Readonly<Record<string, string>>;
  readonly body: unknown;
}

/** What a source made of a message: events, a problem that dead-letters it, or null when it is not this source's. */
export type Reading =
  { readonly events: readonly ContinuoEvent[] } | { readonly problem: string } | null;

/** Reads one foreign shape. */
export type Source = (message: Message) => Reading;

/** The text of a zod error: each issue with its path. */
export const problemText = (error: {
  readonly issues: readonly { readonly path: readonly PropertyKey[]; readonly message: string }[];
}): string =>
  error.issues
    .slice(0, 10)
    .map(({ path, message }) => `${path.map(String).join(".") || "message"}: ${message}`)
    .join("; ");
