/** A schema that a dataset version keeps: a proposal for people to review, not a law. */
import type { ColumnProfile, InferredRule, Profile } from "../../../events/artifacts.js";

/** A text column with at most this many values, and many rows for each, has a domain. */
const domainValuesMax = 50;
const rowsOfValueMin = 20;

function inferRule(column: ColumnProfile, rows: number): InferredRule {
  const { type, missingShare, min, max, distinct, top = [] } = column;
  // Twice the missing share seen, because shares vary; none when none was missing.
  const missing =
    missingShare === 0 ? {} : { missingShareMax: Math.min(1, Math.ceil(200 * missingShare) / 100) };
  if (type === "string") {
    const hasDomain =
      distinct > 0 && distinct <= domainValuesMax && rows >= rowsOfValueMin * distinct;
    const { distribution } = column;
    const values =
      distribution.type === "categorical"
        ? Object.keys(distribution.counts)
        : top.map(({ value }) => value);
    return { type, ...(hasDomain ? { domain: values.toSorted() } : {}), ...missing };
  }
  // The sign is the one bound that a number's nature gives; others would only be this version's extremes.
  const bound =
    type === "boolean" || type === "timestamp" || min === undefined || min < 0 ? {} : { min: 0 };
  const isShare =
    type === "number" && min !== undefined && max !== undefined && min >= 0 && max <= 1;
  return { type, ...bound, ...(isShare ? { max: 1 } : {}), ...missing };
}

/** The rules of every column. */
export const inferSchema = (profile: Profile): Readonly<Record<string, InferredRule>> =>
  Object.fromEntries(
    Object.entries(profile.columns).map(([name, column]) => [
      name,
      inferRule(column, profile.rows),
    ]),
  );
