/** The newest look at what a champion served, as tables. */
import type { MonitoringReport } from "../../../events/monitoring.js";
import { html } from "./html.js";
import type { Html } from "./html.js";
import { badge, number, time } from "./values.js";

const distances = (comparisons: MonitoringReport["comparisons"]): Html =>
  html`<table>
    <thead>
      <tr>
        <th scope="col">Column</th>
        <th scope="col">Against</th>
        <th scope="col" class="figure">Distance</th>
        <th scope="col" class="figure">By chance</th>
        <th scope="col" class="figure">Allowed</th>
        <th scope="col"></th>
      </tr>
    </thead>
    <tbody>
      ${comparisons.flatMap(({ kind, objective, columns }) =>
        columns.map(
          ({ feature, value, nullQuantile, threshold, isAnomaly }) =>
            html`<tr>
              <th scope="row">${objective === "attribution" && "influence of "}${feature}</th>
              <td>${kind === "drift" ? "its first rows" : "its training rows"}</td>
              <td class="figure">${number(value)}</td>
              <td class="figure">${number(nullQuantile)}</td>
              <td class="figure">${number(threshold)}</td>
              <td>${isAnomaly && badge("anomaly")}</td>
            </tr>`,
        ),
      )}
    </tbody>
  </table>`;

const qualities = (quality: MonitoringReport["quality"]): Html =>
  html`<ul class="items">
    ${quality.map(
      ({ method, metric, value, baseline, threshold, standardError, rows, isDecayed }) =>
        html`<li>
          <div class="row apart">
            <span>
              ${metric} ${method === "labels" ? "by labels" : "estimated"}:
              <strong>${number(value)}</strong> ± ${number(standardError)} on ${rows} rows
            </span>
            ${badge(isDecayed ? "decayed" : "healthy")}
          </div>
          <p class="muted">was ${number(baseline)}, at least ${number(threshold)} is allowed</p>
        </li>`,
    )}
  </ul>`;

/** Distances and quality, or what to do to get them. */
export const monitoringBlock = (report: MonitoringReport | null): Html =>
  report === null
    ? html`<p class="muted">
        Nothing was looked at yet. The manifest's monitoring section asks for drift, skew and
        quality.
      </p>`
    : html`<p class="muted">
          ${report.window.rows} predictions of version ${report.versionId} until
          ${time(report.window.end)}
        </p>
        ${report.comparisons.length > 0 && html`<div class="scroll">${distances(report.comparisons)}</div>`}
        ${report.quality.length > 0 && qualities(report.quality)}
        ${report.unknown.map((why) => html`<p class="muted">No verdict: ${why}</p>`)}`;
