/** What the chains of events are made of, the same for everybody who is measured. */

/** Journalled steps that one event causes. */
export const stepsPerEvent = 5;

/** One event in this many is sent twice. */
export const duplicateEvery = 10;

/** The topic that carries the steps. */
export const chainTopic = "bench-chain";

/** Models that the events concern, in turn. */
export const models = Array.from({ length: 64 }, (_, index) => `bench-${index}`);

/** What a process under measurement tells the bench. */
export type ChainReport =
  | { readonly kind: "ready" }
  /** One step was journalled for the first time. */
  | { readonly kind: "step" }
  /** The last step of a chain is done. */
  | { readonly kind: "chain"; readonly chain: string };

/** Something that takes events and makes their chains. */
export interface System {
  readonly name: string;
  /** Sends one event, perhaps once more; resolves when the last step of its chain is done. */
  readonly send: (event: { readonly id: string; readonly model: string }) => Promise<void>;
  /** Sends the same event again; resolves when it was taken. */
  readonly sendAgain: (event: { readonly id: string; readonly model: string }) => Promise<void>;
  /** Steps that were journalled so far. */
  readonly steps: () => number;
  /** Seconds of processor time that each of its processes has taken so far, by what the process is. */
  readonly processorSeconds: () => Readonly<Record<string, number>>;
  readonly stop: () => Promise<void>;
}
