/** The plots of the documentation, as small SVG files that are the same for the same numbers. */
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { curve } from "../../shared/statistics/auc.js";
import { calibrationBins } from "../../shared/statistics/classification.js";
import { pairedPower } from "../../shared/statistics/power.js";
import { normalDraw, seededRandom } from "../../shared/statistics/random.js";
import { jensenShannonNullQuantile } from "../../shared/statistics/null-quantile.js";
import type { Outcome } from "./canaries.js";
import { kayentaName } from "./kayenta.js";
import type { Scenario } from "./statistics-rollout.js";

/** A line of a plot, over points in the units of its axes. */
interface Line {
  readonly name: string;
  readonly points: readonly (readonly [number, number])[];
}

interface Plot {
  readonly title: string;
  readonly x: { readonly label: string; readonly max: number };
  readonly y: { readonly label: string; readonly max?: number };
  readonly lines: readonly Line[];
}

const colours = ["#0b6e4f", "#c1440e", "#3a5a98", "#8a6d3b", "#6b4c9a"];
const [width, height, left, top, right, bottom] = [520, 300, 56, 34, 180, 44];
const shown = (value: number): string => Number(value.toPrecision(3)).toLocaleString("en-US");
const round = (value: number): string => value.toFixed(1);
const escape = (text: string): string => text.replaceAll("&", "&amp;").replaceAll("<", "&lt;");

function svgOf({ title, x, y, lines }: Plot): string {
  const atX = (value: number): number => left + (value / x.max) * (width - left - right);
  const { max: most = 1 } = y;
  const atY = (value: number): number => height - bottom - (value / most) * (height - top - bottom);
  const ticks = [0, 0.25, 0.5, 0.75, 1];
  const grid = ticks.map(
    (tick) =>
      `<line x1="${left}" x2="${width - right}" y1="${round(atY(tick * most))}" y2="${round(atY(tick * most))}" stroke="#ddd"/><text x="${left - 6}" y="${round(atY(tick * most) + 4)}" text-anchor="end">${shown(tick * most)}</text><text x="${round(atX(tick * x.max))}" y="${height - bottom + 16}" text-anchor="middle">${shown(tick * x.max)}</text>`,
  );
  const drawn = lines.map(({ name, points }, i) => {
    const colour = colours[i % colours.length] ?? "#000";
    const path = points.map(([px, py]) => `${round(atX(px))},${round(atY(py))}`).join(" ");
    return `<polyline fill="none" stroke="${colour}" stroke-width="2" points="${path}"/><text x="${width - right + 8}" y="${top + 14 + 18 * i}" fill="${colour}">${escape(name)}</text>`;
  });
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" font-family="sans-serif" font-size="11"><rect width="${width}" height="${height}" fill="#fff"/><text x="${left}" y="18" font-size="13">${escape(title)}</text>${grid.join("")}${drawn.join("")}<text x="${(left + width - right) / 2}" y="${height - 8}" text-anchor="middle">${escape(x.label)}</text><text transform="translate(14 ${(height - bottom + top) / 2}) rotate(-90)" text-anchor="middle">${escape(y.label)}</text></svg>\n`;
}

/** Rows of an example classifier: what an evaluation report holds. */
function example() {
  const random = seededRandom(3);
  const labels = Uint8Array.from({ length: 4000 }, () => (random() < 0.3 ? 1 : 0));
  const scores = Float64Array.from(labels, (label) => {
    const signal = 1.4 * label - 1.5 + normalDraw(random);
    return 1 / (1 + Math.exp(-signal));
  });
  return { labels, scores };
}

const shortNames: Readonly<Record<string, string>> = {
  "shipped, errorRatioMax 1": "shipped",
  "z-test p < 0.05 at each look": "z-test at each look",
  "z-test, Bonferroni over 60 looks": "z-test, 60 looks known",
  [kayentaName]: "Kayenta's rule",
};

/** Share rolled back by every minute. */
const rolledBackBy = ({ delays, repetitions }: Outcome): Line["points"] =>
  Array.from({ length: 61 }, (_, minute) => [
    minute,
    delays.filter((delay) => delay <= minute).length / repetitions,
  ]);

/** Draws all plots into a folder; those of rollouts only where they were played. */
export async function drawPlots(
  folder: string,
  rollouts:
    readonly { readonly scenario: Scenario; readonly outcomes: readonly Outcome[] }[] | null,
): Promise<void> {
  const { labels, scores } = example();
  const points = curve(labels, scores);
  const ofScenario = (name: string): readonly Line[] =>
    (rollouts?.find(({ scenario }) => scenario.name === name)?.outcomes ?? []).flatMap(
      (outcome) => {
        const short = shortNames[outcome.rule];
        return short === undefined ? [] : [{ name: short, points: rolledBackBy(outcome) }];
      },
    );
  const minutes = { label: "minutes since the first request", max: 60 };
  const plots: Readonly<Record<string, Plot>> = {
    "rollout-worse": {
      title: "Found: errors rise from 1 to 2 %",
      x: minutes,
      y: { label: "share of rollouts rolled back" },
      lines: ofScenario("1 to 2 %"),
    },
    "rollout-equal": {
      title: "Rolled back wrongly: an equal challenger",
      x: minutes,
      y: { label: "share of rollouts rolled back" },
      lines: ofScenario("equal"),
    },
    "roc-and-precision": {
      title: "ROC and precision-recall",
      x: { label: "false positive rate, or recall", max: 1 },
      y: { label: "recall, or precision" },
      lines: [
        { name: "ROC", points: points.map((p) => [p.falsePositiveRate, p.truePositiveRate]) },
        { name: "precision-recall", points: points.map((p) => [p.truePositiveRate, p.precision]) },
      ],
    },
    calibration: {
      title: "Calibration",
      x: { label: "mean predicted probability of the bin", max: 1 },
      y: { label: "share of positives" },
      lines: [
        {
          name: "perfect",
          points: [
            [0, 0],
            [1, 1],
          ],
        },
        {
          name: "challenger",
          points: calibrationBins(labels, scores).map((bin) => [bin.meanScore, bin.positiveRate]),
        },
      ],
    },
    "drift-null": {
      title: "What unchanged data show: 99 % stay below",
      x: { label: "rows of the window, and of the reference", max: 5000 },
      y: { label: "Jensen-Shannon divergence, bits", max: 0.1 },
      lines: [
        ...[10, 20].map((cells) => ({
          name: `${cells} bins, null quantile`,
          points: Array.from({ length: 97 }, (_, i): readonly [number, number] => {
            const rows = 200 + 50 * i;
            return [rows, jensenShannonNullQuantile(rows, rows, cells)];
          }),
        })),
        {
          name: "threshold of 0.03",
          points: [
            [0, 0.03],
            [5000, 0.03],
          ],
        },
      ],
    },
    power: {
      title: "Power of the paired test, 10 % discordant rows",
      x: { label: "true gain of accuracy, percentage points", max: 5 },
      y: { label: "chance of promotion" },
      lines: [500, 1000, 5000].map((rows) => ({
        name: `${shown(rows)} rows`,
        points: Array.from({ length: 51 }, (_, i) => [
          i / 10,
          pairedPower(i / 1000, Math.sqrt(0.1 / rows), 0.05),
        ]),
      })),
    },
  };
  for (const [name, plot] of Object.entries(plots)) {
    if (rollouts === null && name.startsWith("rollout-")) continue;
    await writeFile(join(folder, `${name}.svg`), svgOf(plot));
  }
}
