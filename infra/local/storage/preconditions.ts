/** "Do it only if": the generation preconditions of the JSON API. */
import { conditionNotMet, invalid, StorageError } from "./errors.js";
import type { ObjectResource } from "./resources.js";

/** The preconditions of one request; absent ones hold always. */
export interface Preconditions {
  readonly generationMatch?: string;
  readonly generationNotMatch?: string;
  readonly metagenerationMatch?: string;
  readonly metagenerationNotMatch?: string;
}

const numberIn = (query: URLSearchParams, name: string): string | undefined => {
  const value = query.get(name);
  if (value === null) return undefined;
  if (!/^\d{1,19}$/.test(value)) {
    throw invalid(`Invalid value for ${name}: "${value}" is not a whole number.`);
  }
  return value;
};

/** Reads them from the query; `prefix` is `ifSource` for the source of a copy. */
export const readPreconditions = (
  query: URLSearchParams,
  prefix: "if" | "ifSource" = "if",
): Preconditions => {
  const generationMatch = numberIn(query, `${prefix}GenerationMatch`);
  const generationNotMatch = numberIn(query, `${prefix}GenerationNotMatch`);
  const metagenerationMatch = numberIn(query, `${prefix}MetagenerationMatch`);
  const metagenerationNotMatch = numberIn(query, `${prefix}MetagenerationNotMatch`);
  return {
    ...(generationMatch === undefined ? {} : { generationMatch }),
    ...(generationNotMatch === undefined ? {} : { generationNotMatch }),
    ...(metagenerationMatch === undefined ? {} : { metagenerationMatch }),
    ...(metagenerationNotMatch === undefined ? {} : { metagenerationNotMatch }),
  };
};

type Current = Pick<ObjectResource, "generation" | "metageneration"> | undefined;

const isMatched = ({ generationMatch, metagenerationMatch }: Preconditions, current: Current) =>
  (generationMatch === undefined || generationMatch === (current?.generation ?? "0")) &&
  (metagenerationMatch === undefined || metagenerationMatch === current?.metageneration);

const isUnwanted = (
  { generationNotMatch, metagenerationNotMatch }: Preconditions,
  current: Current,
): boolean =>
  (generationNotMatch !== undefined && generationNotMatch === (current?.generation ?? "0")) ||
  (metagenerationNotMatch !== undefined && metagenerationNotMatch === current?.metageneration);

/** Refuses a write whose preconditions do not hold; generation 0 stands for "no live object". */
export const requireForWrite = (conditions: Preconditions, current: Current): void => {
  if (!isMatched(conditions, current) || isUnwanted(conditions, current)) throw conditionNotMet();
};

/** Refuses a read likewise, except that an unwanted generation is "not modified" rather than an error. */
export const requireForRead = (conditions: Preconditions, current: Current): void => {
  if (!isMatched(conditions, current)) throw conditionNotMet();
  if (isUnwanted(conditions, current)) {
    throw new StorageError(304, "notModified", "Not Modified");
  }
};
