/** Vector search: the results of a query that lie nearest to a vector. Pure. */
import { RpcError } from "../protocol/service.js";
import { readFieldPath, valueAt, withValueAt, type FieldPath } from "./field-paths.js";
import type { Row } from "./store.js";
import type { Value } from "./values.js";
import type { WireNearest } from "./wire.js";

type Measure = "EUCLIDEAN" | "COSINE" | "DOT_PRODUCT";

/** A checked search. */
export interface Nearest {
  readonly path: FieldPath;
  readonly vector: readonly number[];
  readonly measure: Measure;
  readonly limit: number;
  readonly threshold: number | undefined;
  readonly resultPath: FieldPath | undefined;
}

const dimensionsMax = 2_048;
const limitMax = 1_000;
const invalid = (message: string): RpcError => new RpcError("INVALID_ARGUMENT", message);

const numberOf = (value: Value): number | undefined => {
  if ("doubleValue" in value) return value.doubleValue;
  return "integerValue" in value ? Number(value.integerValue) : undefined;
};

/** The elements of a vector value; undefined for every other value. */
const elementsOf = (value: Value | undefined): readonly number[] | undefined => {
  if (value === undefined || !("mapValue" in value)) return undefined;
  const { __type__: type, value: elements } = value.mapValue.fields;
  const isVector = type !== undefined && "stringValue" in type && type.stringValue === "__vector__";
  if (!isVector || elements === undefined || !("arrayValue" in elements)) return undefined;
  const numbers = elements.arrayValue.values.map(numberOf);
  return numbers.every((number) => number !== undefined) ? numbers : undefined;
};

const isMeasure = (text: string | undefined): text is Measure =>
  text === "EUCLIDEAN" || text === "COSINE" || text === "DOT_PRODUCT";

const unwrap = (wire: { readonly value?: number } | number | undefined): number | undefined =>
  typeof wire === "object" ? (wire.value ?? 0) : wire;

/** Checks a search. */
export const readNearest = (
  wire: WireNearest,
  readVector: (wire: WireNearest) => Value,
): Nearest => {
  const vector = elementsOf(readVector(wire));
  if (vector === undefined || vector.length === 0)
    throw invalid("query_vector must be a vector with at least one element.");
  if (vector.length > dimensionsMax)
    throw invalid(`query_vector can have at most ${dimensionsMax} dimensions.`);
  if (!isMeasure(wire.distanceMeasure))
    throw invalid("distance_measure must be EUCLIDEAN, COSINE or DOT_PRODUCT.");
  const limit = unwrap(wire.limit) ?? 0;
  if (!(limit > 0 && limit <= limitMax))
    throw invalid(`FindNearest.limit must be a positive integer of no more than ${limitMax}.`);
  const resultField = wire.distanceResultField ?? "";
  return {
    path: readFieldPath(wire.vectorField?.fieldPath ?? ""),
    vector,
    measure: wire.distanceMeasure,
    limit,
    threshold: unwrap(wire.distanceThreshold),
    resultPath: resultField === "" ? undefined : readFieldPath(resultField),
  };
};

const dot = (a: readonly number[], b: readonly number[]): number =>
  a.reduce((sum, element, index) => sum + element * (b[index] ?? 0), 0);

const distanceOf = (measure: Measure, a: readonly number[], b: readonly number[]): number => {
  switch (measure) {
    case "EUCLIDEAN":
      return Math.hypot(...a.map((element, index) => element - (b[index] ?? 0)));
    case "COSINE":
      return 1 - dot(a, b) / Math.sqrt(dot(a, a) * dot(b, b));
    case "DOT_PRODUCT":
      return dot(a, b);
  }
};

/** The nearest rows, nearest first, with their distance where the search wants it; a larger dot product is nearer. */
export const nearestRows = (nearest: Nearest, rows: readonly Row[]): readonly Row[] => {
  const { vector, measure, threshold, resultPath } = nearest;
  const sign = measure === "DOT_PRODUCT" ? -1 : 1;
  const found = rows.flatMap((row) => {
    const elements = elementsOf(valueAt(row.document.fields, nearest.path));
    if (elements?.length !== vector.length) return [];
    const distance = distanceOf(measure, vector, elements);
    if (Number.isNaN(distance)) return [];
    return threshold !== undefined && distance * sign > threshold * sign ? [] : [{ row, distance }];
  });
  const sorted = found.toSorted((a, b) => (a.distance - b.distance) * sign).slice(0, nearest.limit);
  if (resultPath === undefined) return sorted.map(({ row }) => row);
  return sorted.map(({ row, distance }) => ({
    ...row,
    document: {
      ...row.document,
      fields: withValueAt(row.document.fields, resultPath, { doubleValue: distance }),
    },
  }));
};
