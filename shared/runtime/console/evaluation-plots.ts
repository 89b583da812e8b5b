/** What an evaluation measured, drawn: curves, calibration, counts by class, and slices with their intervals. */
import type { Evaluation, Slice } from "../../../events/artifacts.js";
import { html } from "./html.js";
import type { Html } from "./html.js";
import { badge, number } from "./values.js";

const size = 220;
const edge = { left: 32, right: 8, top: 8, bottom: 28 } as const;
const inner = { width: size - edge.left - edge.right, height: size - edge.top - edge.bottom };

/** A point of a plot, in its own units. */
interface Point {
  readonly x: number;
  readonly y: number;
}

/** The smallest and the largest value that an axis shows. */
type Span = readonly [low: number, high: number];

const unit: Span = [0, 1];

const place = (value: number, [low, high]: Span): number =>
  high === low ? 0.5 : (value - low) / (high - low);
const across = (x: number, span: Span): string =>
  (edge.left + place(x, span) * inner.width).toFixed(1);
const down = (y: number, span: Span): string =>
  (edge.top + (1 - place(y, span)) * inner.height).toFixed(1);

/** Axes over equal spans, with what is drawn between them. */
const plot = (
  caption: string,
  axes: { readonly x: string; readonly y: string; readonly span: Span },
  drawn: Html,
): Html => {
  const { x, y, span } = axes;
  const [low, high] = span;
  return html`<figure>
    <svg
      class="plot"
      viewBox="0 0 ${size} ${size}"
      role="img"
      aria-label="${caption}: ${y} by ${x}"
    >
      <rect
        class="axis"
        x="${edge.left}"
        y="${edge.top}"
        width="${inner.width}"
        height="${inner.height}"
      ></rect>
      ${drawn}
      <text x="${edge.left - 4}" y="${edge.top + 8}" text-anchor="end">${number(high)}</text>
      <text x="${edge.left - 4}" y="${size - edge.bottom}" text-anchor="end">${number(low)}</text>
      <text x="${edge.left + inner.width / 2}" y="${size - 8}" text-anchor="middle">${x}</text>
      <text
        x="10"
        y="${edge.top + inner.height / 2}"
        text-anchor="middle"
        transform="rotate(-90 10 ${edge.top + inner.height / 2})"
      >
        ${y}
      </text>
    </svg>
    <figcaption>${caption}</figcaption>
  </figure>`;
};

const line = (points: readonly Point[], span: Span): Html =>
  html`<polyline
    class="curve"
    points="${points.map(({ x, y }) => `${across(x, span)},${down(y, span)}`).join(" ")}"
  ></polyline>`;

/** Where both sides are equal: what chance gives, or what a calibrated model does. */
const diagonal = (span: Span): Html => {
  const [low, high] = span;
  return html`<line
    class="even"
    x1="${across(low, span)}"
    y1="${down(low, span)}"
    x2="${across(high, span)}"
    y2="${down(high, span)}"
  ></line>`;
};

const curves = ({ curve }: Evaluation): readonly Html[] => {
  if (curve.length === 0) return [];
  const roc = curve.map((point) => ({ x: point.falsePositiveRate, y: point.truePositiveRate }));
  const recall = curve.map((point) => ({ x: point.truePositiveRate, y: point.precision }));
  return [
    plot(
      "ROC curve",
      { x: "false positive rate", y: "true positive rate", span: unit },
      html`${diagonal(unit)}${line([{ x: 0, y: 0 }, ...roc], unit)}`,
    ),
    plot("Precision and recall", { x: "recall", y: "precision", span: unit }, line(recall, unit)),
  ];
};

const radius = (rows: number, most: number): string => (2 + 4 * Math.sqrt(rows / most)).toFixed(1);

const calibrationPlot = ({ calibration, task }: Evaluation): readonly Html[] => {
  if (calibration.length === 0) return [];
  const values = calibration.flatMap(({ meanScore, positiveRate }) => [meanScore, positiveRate]);
  const isRegression = task === "regression";
  const span: Span = isRegression ? [Math.min(...values), Math.max(...values)] : unit;
  const most = Math.max(...calibration.map(({ rows }) => rows));
  const dots = calibration.map(
    ({ meanScore, positiveRate, rows }) =>
      html`<circle
        class="bin"
        cx="${across(meanScore, span)}"
        cy="${down(positiveRate, span)}"
        r="${radius(rows, most)}"
        ><title>
          ${rows} rows: ${number(meanScore)} predicted, ${number(positiveRate)} true
        </title></circle
      >`,
  );
  const axes = isRegression
    ? { x: "predicted", y: "true mean", span }
    : { x: "predicted", y: "true share", span };
  return [plot("Calibration", axes, html`${diagonal(span)}${dots}`)];
};

/** Rows by true class, then by predicted class. */
const confusionTable = ({ confusion, confusionMatrix }: Evaluation): Html | null => {
  const matrix =
    confusionMatrix ??
    (confusion === undefined
      ? undefined
      : {
          classes: ["negative", "positive"],
          counts: [
            [confusion.trueNegatives, confusion.falsePositives],
            [confusion.falseNegatives, confusion.truePositives],
          ],
        });
  if (matrix === undefined) return null;
  const at = confusion === undefined ? "" : ` at a score of ${number(confusion.threshold)}`;
  return html`<figure class="scroll">
    <table>
      <thead>
        <tr>
          <th scope="col">True class</th>
          ${matrix.classes.map((name) => html`<th scope="col" class="figure">said ${name}</th>`)}
        </tr>
      </thead>
      <tbody>
        ${matrix.classes.map(
          (name, row) =>
            html`<tr>
              <th scope="row">${name}</th>
              ${(matrix.counts[row] ?? []).map(
                (count) => html`<td class="figure">${count.toLocaleString("en-US")}</td>`,
              )}
            </tr>`,
        )}
      </tbody>
    </table>
    <figcaption>Challenger's confusion${at}</figcaption>
  </figure>`;
};

const slicesShownMax = 20;
const barWidth = 120;

/** An interval as a bar around no difference. */
const intervalBar = ({ interval, improvement = 0, isWorse }: Slice, reach: number): Html | null => {
  if (interval === undefined || reach === 0) return null;
  const x = (value: number): string => (barWidth / 2 + (value / reach) * (barWidth / 2)).toFixed(1);
  const [low, high] = interval;
  const tone = isWorse === true ? "range worse" : "range";
  return html`<svg
    class="plot interval"
    viewBox="0 0 ${barWidth} 12"
    role="img"
    aria-label="95 % interval ${number(low)} to ${number(high)}"
  >
    <line class="axis" x1="${barWidth / 2}" x2="${barWidth / 2}" y1="0" y2="12"></line>
    <line class="${tone}" x1="${x(low)}" x2="${x(high)}" y1="6" y2="6"></line>
    <line class="${tone}" x1="${x(improvement)}" x2="${x(improvement)}" y1="2" y2="10"></line>
  </svg>`;
};

const optional = (value: number | undefined): string => (value === undefined ? "–" : number(value));

const slicesTable = ({ slices, slicesSkipped }: Evaluation): Html | null => {
  if (slices.length === 0) return null;
  const reach = Math.max(0, ...slices.flatMap(({ interval = [0, 0] }) => interval.map(Math.abs)));
  const left = slices.length - slicesShownMax;
  const more = [
    ...(left > 0 ? [`${left} better ones are not shown`] : []),
    ...(slicesSkipped > 0 ? [`${slicesSkipped} were too small to be judged`] : []),
  ];
  return html`<h3>Slices, the worst first</h3>
    <div class="scroll">
      <table>
        <thead>
          <tr>
            <th scope="col">Slice</th>
            <th scope="col" class="figure">Rows</th>
            <th scope="col" class="figure">Champion</th>
            <th scope="col" class="figure">Challenger</th>
            <th scope="col" class="figure">Improvement</th>
            <th scope="col">95 % interval</th>
            <th scope="col" class="figure">p, adjusted</th>
            <th scope="col" class="figure">Power</th>
            <th scope="col"></th>
          </tr>
        </thead>
        <tbody>
          ${slices.slice(0, slicesShownMax).map(
            (slice) =>
              html`<tr>
                <th scope="row">${slice.column} = ${slice.value}</th>
                <td class="figure">${slice.rows.toLocaleString("en-US")}</td>
                <td class="figure">${optional(slice.champion)}</td>
                <td class="figure">${number(slice.challenger)}</td>
                <td class="figure">${optional(slice.improvement)}</td>
                <td>${intervalBar(slice, reach)}</td>
                <td class="figure">${optional(slice.pAdjusted)}</td>
                <td class="figure">${optional(slice.power)}</td>
                <td>${slice.isWorse === true && badge("worse")}</td>
              </tr>`,
          )}
        </tbody>
      </table>
    </div>
    ${more.length > 0 && html`<p class="muted">${more.join("; ")}</p>`}`;
};

/** The plots of a report. */
export const evaluationPlots = (report: Evaluation): Html =>
  html`<div class="plots">
      ${curves(report)} ${calibrationPlot(report)} ${confusionTable(report)}
    </div>
    ${slicesTable(report)}`;
