/** Rows that cannot tell one version from another, and why. */
import type { ScoredRows } from "./scored-rows.js";

/** With fewer rows, or queries, the normal approximation of the tests errs more often than alpha allows. */
const unitsMin = 20;
/** With fewer rows of either class the rows say nothing about a classifier's ranking. */
const rowsOfClassMin = 10;

const count = (value: number): string => value.toLocaleString("en-US");

function distinctLabels(labels: Iterable<number>): ReadonlySet<number> {
  const distinct = new Set<number>();
  for (const label of labels) {
    distinct.add(label);
    if (distinct.size > 1) break;
  }
  return distinct;
}

/** Queries whose rows can be put in a better or a worse order. */
function tellingQueries({ labels, queries = new Int32Array() }: ScoredRows): number {
  const first = new Map<number, number>();
  const telling = new Set<number>();
  for (const [row, label] of Array.from(labels).entries()) {
    const query = queries[row] ?? -1;
    const known = first.get(query);
    if (known === undefined) first.set(query, label);
    else if (known !== label) telling.add(query);
  }
  return telling.size;
}

/** Why these rows cannot tell one version from another; undefined when they can. */
export function unmeasurable(scored: ScoredRows): string | undefined {
  const { task, labels } = scored;
  const rows = labels.length;
  const holdout = `the holdout has ${count(rows)} rows`;
  if (rows < unitsMin) return `${holdout}: at least ${unitsMin} are needed to compare`;
  switch (task) {
    case "binary-classification": {
      let positives = 0;
      for (const label of labels) positives += label;
      return Math.min(positives, rows - positives) >= rowsOfClassMin
        ? undefined
        : `${holdout}, ${count(positives)} of them positive: at least ${rowsOfClassMin} of both classes are needed to compare`;
    }
    case "multi-class-classification": {
      const distinct = distinctLabels(labels);
      if (distinct.size > 1) return undefined;
      return distinct.has(-1)
        ? `${holdout}, and no row's class is one that a version gives a probability`
        : `${holdout} of one class: at least two classes are needed to compare`;
    }
    case "regression":
      return distinctLabels(labels).size > 1
        ? undefined
        : `${holdout} with one and the same label: there is nothing to predict`;
    case "ranking": {
      const telling = tellingQueries(scored);
      return telling >= unitsMin
        ? undefined
        : `${holdout}, and ${count(telling)} queries with rows of different relevance: at least ${unitsMin} are needed`;
    }
  }
}
