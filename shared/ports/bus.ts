/** Telling the world. */

/** Publishes messages to topics. */
export interface Bus {
  /** Publishes one message to a topic by its short name; resolves when it is durable. */
  readonly publish: (
    topic: string,
    message: { readonly data: Buffer; readonly attributes: Readonly<Record<string, string>> },
  ) => Promise<void>;
}
