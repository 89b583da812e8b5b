/** `npm run bench -- statistics [section ...] [repetitions]`: the simulation tables, the speeds and the plots of the documentation. */
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { cpus, loadavg } from "node:os";
import { join } from "node:path";
import { format } from "prettier";
import {
  errorsSection,
  latencySection,
  playErrors,
  seed,
  signalsSection,
} from "./statistics-canaries.js";
import {
  detectors,
  simulateAuc,
  simulateDrift,
  simulatePromotion,
  simulateSlices,
  type Comparison,
} from "./statistics-gates.js";
import { drawPlots } from "./statistics-plots.js";
import { measureSpeeds } from "./statistics-speed.js";
import { count, limits, table } from "./statistics-text.js";

const repetitions = { promotion: 2000, slices: 400, drift: 500 };
const docs = new URL("../../infra/docs/", import.meta.url).pathname;

const promotionCases: readonly {
  readonly name: string;
  readonly comparison: Comparison;
  readonly gains: readonly number[];
}[] = [
  {
    name: "superior",
    comparison: { mode: "superiority", margin: 0 },
    gains: [-0.01, 0, 0.02],
  },
  {
    name: "not worse by 1 point",
    comparison: { mode: "non-inferiority", margin: 0.01 },
    gains: [-0.02, -0.01, 0, 0.01],
  },
];

const promotionTable = (): string =>
  table(
    ["asked for", "rows", "true gain", "accuracy (McNemar)", "AUC (DeLong)", "a stored accuracy"],
    promotionCases.flatMap(({ name, comparison, gains }) =>
      [1000, 5000].flatMap((rows) =>
        gains.map((gain) => {
          const options = { comparison, gain, rows, repetitions: repetitions.promotion, seed };
          const accuracy = simulatePromotion(options);
          const boundary =
            comparison.mode === "superiority" ? comparison.margin : -comparison.margin;
          return [
            name,
            rows.toLocaleString("en-US"),
            `${(100 * gain).toFixed(0)} points${gain === boundary ? " (at the margin)" : ""}`,
            limits(accuracy.paired),
            limits(simulateAuc(options)),
            limits(accuracy.stored),
          ];
        }),
      ),
    ),
  );

const sliceFalls = [0, 0.3, 0.8];
const sliceTable = (): string =>
  table(
    ["fall of the signal in one slice of 20", "refused for a slice"],
    sliceFalls.map((fall) => [
      `${fall} standard deviations`,
      limits(simulateSlices({ fall, repetitions: repetitions.slices, seed })),
    ]),
  );

const driftTable = (): string => {
  const cases = [200, 1000, 5000].flatMap((rows) =>
    [0, 0.2, 0.5].map((shift) => ({ rows, shift })),
  );
  const found = cases.map((one) => ({
    ...one,
    results: simulateDrift({ ...one, repetitions: repetitions.drift, seed }),
  }));
  return table(
    ["detector", ...cases.map(({ rows, shift }) => `${rows} rows, shift ${shift}`)],
    Object.keys(detectors).map((name) => [
      name,
      ...found.map(({ shift, results }) => {
        const result = results.find(({ detector }) => detector === name);
        if (result === undefined) return "";
        return shift === 0
          ? limits(result)
          : `${limits(result)}, ${result.delay.toFixed(1)} windows`;
      }),
    ]),
  );
};

/** Sections of the page in their order: what calls one, its title, and how it is made. */
const sections: Readonly<
  Record<
    string,
    { readonly title: string; readonly make: (most: number) => Promise<string> | string }
  >
> = {
  errors: { title: "Rollout analysis: errors", make: errorsSection },
  latency: { title: "Rollout analysis: latency", make: latencySection },
  signals: { title: "Rollout analysis: what else may be asked for", make: signalsSection },
  promotion: {
    title: "Promotion",
    make: () => `Both versions on the same rows, alpha 0.05, ${count(repetitions.promotion)} repetitions. Accuracy is 80 % for the champion, with 10 % of the rows judged differently; the area under the ROC
curve 0.8, with scores that share 90 % of their noise. A stored accuracy was measured on other rows.

${promotionTable()}`,
  },
  slices: {
    title: "Slices",
    make: () => `8,000 rows in 20 slices, area under the ROC curve, margin 0.01, Benjamini-Hochberg at 5 %, ${repetitions.slices} repetitions.

${sliceTable()}`,
  },
  drift: {
    title: "Drift",
    make: () => `A normal column whose mean moves by the shift (in standard deviations), window and reference of equal size, 20 bins,
${count(repetitions.drift)} repetitions: share of windows with an alarm, and mean number of windows to the first one (20 at most).

${driftTable()}`,
  },
  speed: {
    title: "Speed",
    make: async () => {
      const load = (loadavg()[0] ?? NaN).toFixed(1);
      const speeds = await measureSpeeds();
      return `Median, least and most of the rounds, on ${cpus().length} cores (${cpus()[0]?.model ?? "unknown"}) at a load average of ${load}; DuckDB's and our histograms take turns.
A load average above the number of cores means that others were at work on the machine, and that all of these but processor
times are longer than on one of its own.

${table(["what", "seconds", "goal"], speeds)}`;
    },
  },
};

const intro = `# Simulated error rates and delays

Made by \`npm run bench -- statistics\`, or section by section (\`${Object.keys(sections).join("`, `")}\`), seed ${seed}. Shares have exact 95 % limits (Clopper and Pearson).`;

/** The sections of the page as it is, by title. */
async function sectionsOf(path: string): Promise<Map<string, string>> {
  const text = await readFile(path, "utf8").catch(() => "");
  return new Map(
    text
      .split(/^## /m)
      .slice(1)
      .map((section) => {
        const end = section.indexOf("\n");
        return [section.slice(0, end).trim(), section.slice(end).trim()];
      }),
  );
}

/** Makes the sections that are asked for, or all, with at most so many repetitions of a simulated rollout where a number is given, and writes infra/docs/statistics-tables.md and infra/docs/plots. */
export async function benchStatistics(parts: readonly string[]): Promise<void> {
  const asked = parts.filter((part) => !/^\d+$/.test(part));
  const most = Number(parts.find((part) => /^\d+$/.test(part)) ?? Infinity);
  const unknown = asked.filter((name) => sections[name] === undefined);
  if (unknown.length > 0) {
    throw new Error(
      `no section ${unknown.join(", ")}; there are ${Object.keys(sections).join(", ")}`,
    );
  }
  const path = join(docs, "statistics-tables.md");
  const known = await sectionsOf(path);
  for (const [name, { title, make }] of Object.entries(sections)) {
    if (asked.length > 0 && !asked.includes(name)) continue;
    console.log(`making ${name}`);
    known.set(title, await make(most));
  }
  const text = Object.values(sections)
    .map(({ title }) => `## ${title}\n\n${known.get(title) ?? "Not measured."}`)
    .join("\n\n");
  await mkdir(join(docs, "plots"), { recursive: true });
  await writeFile(
    path,
    await format(`${intro}\n\n${text}\n`, { parser: "markdown", printWidth: 100 }),
  );
  const isPlayed = asked.length === 0 || asked.includes("errors");
  await drawPlots(join(docs, "plots"), isPlayed ? await playErrors(most) : null);
  console.log(`written: ${path}`);
}
