/** Cells and tables of the statistics page. */
import { clopperPearsonInterval } from "../../shared/statistics/interval.js";
import type { Outcome } from "./canaries.js";
import type { Playable, Played } from "./statistics-played.js";

const percent = (value: number): string => `${(100 * value).toFixed(1)} %`;

/** A share with its exact 95 % limits. */
export const limits = ({
  count,
  repetitions: n,
}: {
  readonly count: number;
  readonly repetitions: number;
}): string => {
  const [low, high] = clopperPearsonInterval(count, n, 0.95);
  return `${percent(count / n)} (${(100 * low).toFixed(1)}-${(100 * high).toFixed(1)})`;
};

/** The lower median. */
export const median = (values: readonly number[]): number =>
  values.toSorted((a, b) => a - b)[Math.floor((values.length - 1) / 2)] ?? NaN;

/** A count as people write it. */
export const count = (value: number): string => value.toLocaleString("en-US");

/** Rows under a head, as Markdown. */
export const table = (head: readonly string[], rows: readonly (readonly string[])[]): string =>
  [head, head.map(() => "---"), ...rows].map((cells) => `| ${cells.join(" | ")} |`).join("\n");

const cellOf = (isNull: boolean, { rolledBack, delays, repetitions: n }: Outcome): string => {
  const share = limits({ count: rolledBack, repetitions: n });
  return isNull || rolledBack < n / 2 ? share : `${share}, ${median(delays)} min`;
};

/** What one rule did in one scenario. */
export function outcomeOf(
  found: readonly Played<Playable>[],
  scenario: string,
  rule: string,
): Outcome {
  const outcome = found
    .find((one) => one.scenario.name === scenario)
    ?.outcomes.find((one) => one.rule === rule);
  if (outcome === undefined) throw new Error(`${scenario}, ${rule}`);
  return outcome;
}

/** A row for each rule, a column for each scenario. */
export const outcomeTable = (
  names: readonly string[],
  found: readonly Played<Playable>[],
): string =>
  table(
    ["rule", ...found.map(({ scenario }) => scenario.name)],
    names.map((rule) => [
      rule,
      ...found.map(({ scenario }) =>
        cellOf(scenario.isNull, outcomeOf(found, scenario.name, rule)),
      ),
    ]),
  );

/** The null, of those under which a level is claimed, with most rollbacks. */
export const worstNull = (found: readonly Played<Playable>[], rule: string): string => {
  const outcomes = found
    .filter(({ scenario }) => scenario.isNull && scenario.isBeyondClaim !== true)
    .map(({ scenario }) => outcomeOf(found, scenario.name, rule));
  const worst = outcomes.reduce((a, b) => (b.rolledBack > a.rolledBack ? b : a));
  return limits({ count: worst.rolledBack, repetitions: worst.repetitions });
};

/** How long playing took, in words. */
export const playedIn = (found: readonly Played<Playable>[]): string =>
  `${(found.reduce((sum, { seconds }) => sum + seconds, 0) / 60).toFixed(1)} minutes of processor time`;
