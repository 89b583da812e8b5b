/** Aggregations over the results of a query: count, sum, average. Pure. */
import { RpcError } from "../protocol/service.js";
import { readFieldPath, valueAt, type FieldPath } from "./field-paths.js";
import type { Row } from "./store.js";
import { nullValue, type Value } from "./values.js";
import type { WireAggregation } from "./wire.js";

/** A checked aggregation. */
export type Aggregation = { readonly alias: string } & (
  | { readonly kind: "count"; readonly upTo: number | undefined }
  | { readonly kind: "sum" | "average"; readonly path: FieldPath }
);

const aggregationsMax = 5;
const invalid = (message: string): RpcError => new RpcError("INVALID_ARGUMENT", message);

const upToOf = (wire: NonNullable<WireAggregation["count"]>): number | undefined => {
  if (wire.upTo === undefined) return undefined;
  const upTo = Number(typeof wire.upTo === "object" ? (wire.upTo.value ?? 0) : wire.upTo);
  if (upTo <= 0) throw invalid("Count aggregation `up_to` must be greater than 0.");
  return upTo;
};

const readAggregation = (wire: WireAggregation, index: number): Aggregation => {
  const alias = wire.alias === undefined || wire.alias === "" ? `field_${index + 1}` : wire.alias;
  if (wire.count !== undefined) return { alias, kind: "count", upTo: upToOf(wire.count) };
  const field = wire.sum?.field ?? wire.avg?.field;
  if (field === undefined)
    throw invalid(`The aggregation "${alias}" has no operator: set count, sum or avg.`);
  const path = readFieldPath(field.fieldPath ?? "");
  return { alias, kind: wire.sum === undefined ? "average" : "sum", path };
};

/** Checks the aggregations of a request. */
export const readAggregations = (
  wire: readonly WireAggregation[] | undefined,
): readonly Aggregation[] => {
  const aggregations = (wire ?? []).map(readAggregation);
  if (aggregations.length === 0) throw invalid("At least one aggregation is required.");
  if (aggregations.length > aggregationsMax) {
    throw invalid(
      `The maximum number of aggregations allowed in an aggregation query is ${aggregationsMax}. Received: ${aggregations.length}`,
    );
  }
  if (new Set(aggregations.map(({ alias }) => alias)).size < aggregations.length) {
    throw invalid("Aggregation aliases must be unique.");
  }
  return aggregations;
};

type Numeric = { readonly integerValue: string } | { readonly doubleValue: number };

const numbersAt = (rows: readonly Row[], path: FieldPath): readonly Numeric[] =>
  rows.flatMap(({ document }) => {
    const value = valueAt(document.fields, path);
    return value !== undefined && ("integerValue" in value || "doubleValue" in value)
      ? [value]
      : [];
  });

const asNumber = (value: Numeric): number =>
  "integerValue" in value ? Number(value.integerValue) : value.doubleValue;

const total = (numbers: readonly Numeric[]): number =>
  numbers.reduce((sum, value) => sum + asNumber(value), 0);

/** Integers add up exactly until they overflow; one double makes the sum a double. */
const sum = (numbers: readonly Numeric[]): Value => {
  let exact = 0n;
  for (const value of numbers) {
    if ("doubleValue" in value) return { doubleValue: total(numbers) };
    exact += BigInt(value.integerValue);
  }
  return exact === BigInt.asIntN(64, exact)
    ? { integerValue: String(exact) }
    : { doubleValue: Number(exact) };
};

const valueOf = (aggregation: Aggregation, rows: readonly Row[]): Value => {
  switch (aggregation.kind) {
    case "count":
      return { integerValue: String(Math.min(rows.length, aggregation.upTo ?? rows.length)) };
    case "sum":
      return sum(numbersAt(rows, aggregation.path));
    case "average": {
      const numbers = numbersAt(rows, aggregation.path);
      return numbers.length === 0 ? nullValue : { doubleValue: total(numbers) / numbers.length };
    }
  }
};

/** Only documents that hold every aggregated field are aggregated, as the service's indexes have it. */
export const aggregate = (
  aggregations: readonly Aggregation[],
  rows: readonly Row[],
): Readonly<Record<string, Value>> => {
  const paths = aggregations.flatMap((aggregation) =>
    "path" in aggregation ? [aggregation.path] : [],
  );
  const complete = rows.filter(({ document }) =>
    paths.every((path) => valueAt(document.fields, path) !== undefined),
  );
  return Object.fromEntries(
    aggregations.map((aggregation) => [aggregation.alias, valueOf(aggregation, complete)]),
  );
};
