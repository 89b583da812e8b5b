/** Traffic and rollouts in pictures. */
import type { RolloutView } from "../api/views.js";
import { html } from "./html.js";
import type { Html } from "./html.js";

/** How production's traffic is split between champion and challenger. */
export const trafficBar = (weights: Readonly<Record<string, number>>): Html => {
  const champion = weights["champion"] ?? 0;
  const challenger = weights["challenger"] ?? 0;
  return html`<svg
      class="bar"
      viewBox="0 0 100 4"
      preserveAspectRatio="none"
      role="img"
      aria-label="champion ${champion} percent, challenger ${challenger} percent of the traffic"
    >
      <rect class="none" width="100" height="4"></rect>
      <rect class="champion" width="${champion}" height="4"></rect>
      <rect class="challenger" x="${champion}" width="${challenger}" height="4"></rect>
    </svg>
    <div class="legend">
      <span class="champion">champion ${champion} %</span
      ><span class="challenger">challenger ${challenger} %</span>
    </div>`;
};

/** The steps of a rollout, and where it stands. */
export const stepList = ({ steps, step, phase }: RolloutView): Html | null =>
  steps === null
    ? null
    : html`<ol class="steps" aria-label="Steps">
        ${steps.map((weight, index) => {
          const isPast = step !== null && index < step;
          const isNow = step === index && phase !== "ended";
          return html`<li
            class="${isPast ? "past" : isNow ? "now" : ""}"
            ${isNow ? html` aria-current="step"` : null}
          >
            ${weight} %
          </li>`;
        })}
      </ol>`;

const size = { width: 640, height: 180, left: 48, right: 12, top: 12, bottom: 24 } as const;

/** The challenger's weight over time, with each look of the analysis as a dot. */
export const weightChart = (rollout: RolloutView): Html | null => {
  const { history } = rollout;
  if (history.length === 0) return null;
  const startMs = Date.parse(rollout.startedAt);
  const endMs = Math.max(
    startMs + 1000,
    Date.parse(rollout.endedAt ?? history.at(-1)?.at ?? rollout.startedAt),
    ...history.map(({ at }) => Date.parse(at)),
  );
  const x = (ms: number): number =>
    size.left + ((ms - startMs) / (endMs - startMs)) * (size.width - size.left - size.right);
  const y = (weight: number): number =>
    size.top + (1 - weight / 100) * (size.height - size.top - size.bottom);
  const points = history.map(({ at, weight, verdict }) => ({
    x: x(Date.parse(at)),
    weight,
    verdict,
  }));
  const finalWeight =
    rollout.outcome === "promoted" ? 100 : rollout.outcome === null ? (rollout.weight ?? 0) : 0;
  // The weight at a look was set at the look before it.
  const path = points.reduce(
    (line, point) => `${line} V ${y(point.weight).toFixed(1)} H ${point.x.toFixed(1)}`,
    `M ${size.left} ${y(0).toFixed(1)}`,
  );
  return html`<svg
    class="chart"
    viewBox="0 0 ${size.width} ${size.height}"
    role="img"
    aria-labelledby="chart-title"
  >
    <title id="chart-title">
      The challenger's share of the traffic over time, with the analysis's verdicts
    </title>
    ${[0, 50, 100].map(
      (weight) =>
        html`<line
            class="axis"
            x1="${size.left}"
            x2="${size.width - size.right}"
            y1="${y(weight)}"
            y2="${y(weight)}"
          ></line
          ><text x="${size.left - 6}" y="${y(weight) + 4}" text-anchor="end">${weight} %</text>`,
    )}
    <path
      class="weight"
      d="${path} V ${y(finalWeight).toFixed(1)} H ${size.width - size.right}"
    ></path>
    ${points.map(
      (point) =>
        html`<circle
          class="${point.verdict.result}"
          cx="${point.x.toFixed(1)}"
          cy="${y(point.weight).toFixed(1)}"
          r="5"
          ><title>
            ${point.weight} %: ${point.verdict.result}. ${point.verdict.reasons.join("; ")}
          </title></circle
        >`,
    )}
    <text x="${size.left}" y="${size.height - 6}">start</text>
    <text x="${size.width - size.right}" y="${size.height - 6}" text-anchor="end">
      ${Math.round((endMs - startMs) / 1000)} s
    </text>
  </svg>`;
};
