/** Runs, rollouts and dead letters as tables. */
import type { DeadLetterView, RolloutView, RunView } from "../api/views.js";
import { html } from "./html.js";
import type { Html } from "./html.js";
import type { PageFrame } from "./page.js";
import { badge, duration, time } from "./values.js";

const took = (from: string, to: string | null): string =>
  to === null ? "" : duration(Date.parse(to) - Date.parse(from));

/** Training runs, newest first. */
export const runsTable = ({ base }: PageFrame, runs: readonly RunView[]): Html =>
  runs.length === 0
    ? html`<p class="muted">No runs yet. Publish a dataset.arrived event to start one.</p>`
    : html`<div class="scroll">
        <table>
          <thead>
            <tr>
              <th scope="col">Run</th>
              <th scope="col">State</th>
              <th scope="col">Why</th>
              <th scope="col">Asked</th>
              <th scope="col" class="figure">Took</th>
            </tr>
          </thead>
          <tbody>
            ${runs.map(
              (run) =>
                html`<tr>
                  <td><a class="mono" href="${base}runs/${run.run}">${run.run}</a></td>
                  <td>${badge(run.outcome ?? run.phase)}</td>
                  <td>${run.reasons[0] ?? run.reason}</td>
                  <td>${time(run.requestedAt)}</td>
                  <td class="figure">${took(run.requestedAt, run.endedAt)}</td>
                </tr>`,
            )}
          </tbody>
        </table>
      </div>`;

/** Rollouts, newest first. */
export const rolloutsTable = ({ base }: PageFrame, rollouts: readonly RolloutView[]): Html =>
  rollouts.length === 0
    ? html`<p class="muted">No rollouts yet. A registered model version starts one.</p>`
    : html`<div class="scroll">
        <table>
          <thead>
            <tr>
              <th scope="col">Rollout</th>
              <th scope="col">Version</th>
              <th scope="col">State</th>
              <th scope="col">Why</th>
              <th scope="col">Started</th>
              <th scope="col" class="figure">Took</th>
            </tr>
          </thead>
          <tbody>
            ${rollouts.map(
              (rollout) =>
                html`<tr>
                  <td>
                    <a class="mono" href="${base}rollouts/${rollout.rollout}">${rollout.rollout}</a>
                  </td>
                  <td>${rollout.versionId}</td>
                  <td>
                    ${badge(rollout.outcome ?? rollout.phase)}${rollout.weight !== null && html` ${rollout.weight} %`}
                  </td>
                  <td>
                    ${rollout.reasons[0] ?? rollout.waitsFor ?? rollout.lastVerdict?.reasons[0] ?? ""}
                  </td>
                  <td>${time(rollout.startedAt)}</td>
                  <td class="figure">${took(rollout.startedAt, rollout.endedAt)}</td>
                </tr>`,
            )}
          </tbody>
        </table>
      </div>`;

/** Messages that no function could take. */
export const deadLettersTable = ({ base }: PageFrame, letters: readonly DeadLetterView[]): Html =>
  letters.length === 0
    ? html`<p class="muted">No dead letters.</p>`
    : html`<div class="scroll">
        <table>
          <thead>
            <tr>
              <th scope="col">Message</th>
              <th scope="col">Function</th>
              <th scope="col">Reason</th>
              <th scope="col">Came</th>
              <th scope="col"></th>
            </tr>
          </thead>
          <tbody>
            ${letters.map(
              (letter) =>
                html`<tr>
                  <td>
                    <a class="mono" href="${base}dead-letters/${encodeURIComponent(letter.id)}"
                      >${letter.id.slice(0, 16)}</a
                    >
                  </td>
                  <td>${letter.function}</td>
                  <td>${letter.reason}</td>
                  <td>${time(letter.receivedAt)}</td>
                  <td>
                    ${
                      letter.redrivenAt === null
                        ? html`<button
                            data-key="redrive-${letter.id}"
                            data-path="/dead-letters/${encodeURIComponent(letter.id)}/redrive"
                          >
                            Send again
                          </button>`
                        : html`<span class="muted">sent again ${time(letter.redrivenAt)}</span>`
                    }
                  </td>
                </tr>`,
            )}
          </tbody>
        </table>
      </div>`;
