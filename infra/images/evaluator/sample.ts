/** Example requests, so that the rollout's smoke test can send what callers will send. */
import { isMissing, textAt, type Table } from "../table/table.js";

const sampleMax = 50;

/** Evenly spaced rows of the holdout, as instances of the given features. */
export function sampleInstances(
  table: Table,
  features: readonly { readonly name: string; readonly type: "numeric" | "categorical" }[],
): readonly Readonly<Record<string, string | number | null>>[] {
  const count = Math.min(sampleMax, table.rows);
  return Array.from({ length: count }, (_, index) => {
    const row = Math.floor((index * table.rows) / count);
    return Object.fromEntries(
      features.map(({ name, type }) => {
        const column = table.columns.get(name);
        if (column === undefined || isMissing(column, row)) return [name, null];
        const text = textAt(column, row) ?? "";
        return [name, type === "numeric" ? Number(text) : text];
      }),
    );
  });
}
