/** What one event costs on the bill: the documents, messages and calls of the cloud that it takes. */
import type { CloudCall } from "./function-world.js";

/** Counts of one event. */
export interface EventCosts {
  readonly documentsRead: number;
  readonly documentsWritten: number;
  readonly messages: number;
  readonly vertexCalls: number;
  /** Of the other services, and those of Firestore that cost nothing. */
  readonly others: number;
}

const sum = (values: readonly number[]): number =>
  values.reduce((total, value) => total + value, 0);

/** Counts a log of calls: a document that is not there is read as well, and a query costs one read at least. */
export const costsOf = (calls: readonly CloudCall[]): EventCosts => {
  const of = (name: string, step: CloudCall["step"] = "asked"): readonly CloudCall[] =>
    calls.filter((call) => call.step === step && call.method.endsWith(name));
  const lengths = (name: string, list: string, step?: CloudCall["step"]): number =>
    sum(of(name, step).map((call) => call.lengths[list] ?? 0));
  const counted = [
    "Firestore/BatchGetDocuments",
    "Firestore/RunQuery",
    "Firestore/RunAggregationQuery",
    "Firestore/Commit",
    "Firestore/BatchWrite",
    "Publisher/Publish",
  ];
  const asked = calls.filter(({ step }) => step === "asked");
  const vertexCalls = asked.filter(({ method }) => method.includes("aiplatform")).length;
  return {
    documentsRead:
      lengths("Firestore/BatchGetDocuments", "documents") +
      lengths("Firestore/RunQuery", "messages", "answered") +
      of("Firestore/RunAggregationQuery").length,
    documentsWritten:
      lengths("Firestore/Commit", "writes") + lengths("Firestore/BatchWrite", "writes"),
    messages: lengths("Publisher/Publish", "messages"),
    vertexCalls,
    others: asked.length - vertexCalls - sum(counted.map((name) => of(name).length)),
  };
};
