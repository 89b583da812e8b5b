/** What the trees of a model ask of its features, and the few intervals of values that the answers tell apart. */
import type { GradientBoosting, Tree } from "./schema.js";

/** What is asked of a feature: thresholds ascending, or how many categories are told apart. */
export type Question =
  | { readonly kind: "thresholds"; readonly thresholds: Float64Array }
  | { readonly kind: "categories"; readonly count: number };

/** Numbers of intervals: 0 to this one for known values, then one for missing ones. */
export const knownOf = (question: Question): number =>
  question.kind === "thresholds" ? question.thresholds.length : question.count;

/** The questions by feature; undefined when one feature is asked both kinds. */
export function questionsOf(
  { trees }: GradientBoosting,
  features: number,
): readonly Question[] | undefined {
  const thresholds = Array.from({ length: features }, () => new Set<number>());
  const categories = new Map<number, number>();
  for (const tree of trees) {
    for (const [node, feature] of tree.feature.entries()) {
      const codes = tree.categoriesLeft[String(node)];
      if (feature < 0) continue;
      if (codes === undefined) thresholds[feature]?.add(tree.threshold[node] ?? 0);
      else {
        const count = codes.reduce((most, code) => Math.max(most, code + 1), 1);
        categories.set(feature, Math.max(count, categories.get(feature) ?? 0));
      }
    }
  }
  if ([...categories.keys()].some((feature) => (thresholds[feature]?.size ?? 0) > 0)) {
    return undefined;
  }
  return thresholds.map((found, feature) => {
    const count = categories.get(feature);
    return count === undefined
      ? { kind: "thresholds", thresholds: Float64Array.from(found).toSorted() }
      : { kind: "categories", count };
  });
}

/** The interval of a value: how many thresholds lie below it; a category's own code, all unknown ones alike. */
export function intervalOf(question: Question, value: number): number {
  if (Number.isNaN(value)) return knownOf(question) + 1;
  if (question.kind === "categories") return Math.min(value, question.count);
  const { thresholds } = question;
  let low = 0;
  // Steps by a product instead of a branch: the processor would guess every other one wrongly.
  for (let left = thresholds.length; left > 0;) {
    const half = (left + 1) >> 1;
    low = (low + half * Number((thresholds[(low + half - 1) | 0] ?? Infinity) < value)) | 0;
    left -= half;
  }
  return low;
}

/** For every interval of the node's feature whether it goes left: 1 or 0. */
export function leftIntervals(tree: Tree, node: number, question: Question): Uint8Array {
  const known = knownOf(question);
  const isLeft = new Uint8Array(known + 2);
  const codes = tree.categoriesLeft[String(node)];
  const threshold = tree.threshold[node] ?? 0;
  if (question.kind === "thresholds") {
    for (let interval = 0; interval < known; interval += 1) {
      isLeft[interval] = (question.thresholds[interval] ?? Infinity) <= threshold ? 1 : 0;
    }
  } else for (const code of codes ?? []) isLeft[code] = 1;
  isLeft[known + 1] = tree.missingLeft[node] ?? 0;
  return isLeft;
}
