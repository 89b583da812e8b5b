/** What a query's plan uses and what running it cost, for `explain`. */
import type { Engine } from "./engine.js";
import type { Query } from "./query-model.js";
import { planFor } from "./query-run.js";

/** google.protobuf.Struct, of texts only. */
interface TextStruct {
  readonly fields: Readonly<Record<string, { readonly stringValue: string }>>;
}

/** google.firestore.v1.ExplainMetrics. */
export interface ExplainMetrics {
  readonly planSummary: { readonly indexesUsed: readonly TextStruct[] };
  readonly executionStats?: {
    readonly resultsReturned: string;
    readonly executionDuration: { readonly seconds: string; readonly nanos: number };
    readonly readOperations: string;
    readonly debugStats: TextStruct;
  };
}

const struct = (texts: Readonly<Record<string, string>>): TextStruct => ({
  fields: Object.fromEntries(
    Object.entries(texts).map(([name, text]) => [name, { stringValue: text }]),
  ),
});

const directionOf = (isDescending: boolean): string => (isDescending ? "DESC" : "ASC");

/** The local cloud's own index, in the words in which the service names its indexes. */
const propertiesOf = (engine: Engine, query: Query): string => {
  const plan = planFor(engine.store, query);
  switch (plan.kind) {
    case "look-up":
      return `(${plan.lookUp.field.slice(1)} ${plan.lookUp.field.startsWith("[") ? "CONTAINS" : "ASC"}, __name__ ASC)`;
    case "along-index": {
      const direction = directionOf(plan.isDescending);
      return `(${plan.field.slice(1)} ${direction}, __name__ ${direction})`;
    }
    case "along-names":
      return `(__name__ ${directionOf(plan.isDescending)})`;
    case "by-name":
    case "everything":
      return "(__name__ ASC)";
  }
};

/** The plan of a query. */
export const planSummary = (engine: Engine, query: Query): ExplainMetrics => ({
  planSummary: {
    indexesUsed: [
      struct({
        query_scope: query.allDescendants ? "Collection group" : "Collection",
        properties: propertiesOf(engine, query),
      }),
    ],
  },
});

/** The plan of a query and what it cost to run it. */
export const executed = (
  engine: Engine,
  query: Query,
  cost: { readonly durationMs: number; readonly results: number; readonly documents: number },
): ExplainMetrics => {
  const seconds = Math.floor(cost.durationMs / 1000);
  return {
    ...planSummary(engine, query),
    executionStats: {
      resultsReturned: String(cost.results),
      executionDuration: {
        seconds: String(seconds),
        nanos: Math.max(1, Math.round((cost.durationMs - seconds * 1000) * 1e6)),
      },
      readOperations: String(Math.max(1, cost.documents)),
      debugStats: struct({ documents_scanned: String(cost.documents) }),
    },
  };
};
