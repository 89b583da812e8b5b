/** Runs, rollouts and dead letters as lists. */
import type { DeadLetterView, RolloutView, RunView } from "../api/views.js";
import { html } from "./html.js";
import type { Html } from "./html.js";
import type { PageFrame } from "./page.js";
import { badge, duration, time } from "./values.js";

const took = (from: string, to: string | null): string =>
  to === null ? "" : ` · took ${duration(Date.parse(to) - Date.parse(from))}`;

/** Training runs, newest first. */
export const runsList = ({ base }: PageFrame, runs: readonly RunView[]): Html =>
  runs.length === 0
    ? html`<p class="muted">No runs yet. Publish a dataset.arrived event to start one.</p>`
    : html`<ul class="items">
        ${runs.map(
          (run) =>
            html`<li>
              <div class="row apart">
                <a class="mono" href="${base}runs/${run.run}">${run.run}</a>
                ${badge(run.outcome ?? run.phase)}
              </div>
              <p>${run.reasons[0] ?? run.reason}</p>
              <p class="muted">
                ${run.trigger} · ${time(run.requestedAt)}${took(run.requestedAt, run.endedAt)}
              </p>
            </li>`,
        )}
      </ul>`;

/** Rollouts, newest first. */
export const rolloutsList = ({ base }: PageFrame, rollouts: readonly RolloutView[]): Html =>
  rollouts.length === 0
    ? html`<p class="muted">No rollouts yet. A registered model version starts one.</p>`
    : html`<ul class="items">
        ${rollouts.map(
          (rollout) =>
            html`<li>
              <div class="row apart">
                <a class="mono" href="${base}rollouts/${rollout.rollout}">${rollout.rollout}</a>
                <span class="row">
                  ${rollout.weight !== null && html`<span>${rollout.weight} %</span>`}
                  ${badge(rollout.outcome ?? rollout.phase)}
                </span>
              </div>
              <p>
                ${rollout.reasons[0] ?? rollout.waitsFor ?? rollout.lastVerdict?.reasons[0] ?? ""}
              </p>
              <p class="muted">
                version ${rollout.versionId} ·
                ${time(rollout.startedAt)}${took(rollout.startedAt, rollout.endedAt)}
              </p>
            </li>`,
        )}
      </ul>`;

const redriveButton = (letter: DeadLetterView): Html => {
  const path = `/dead-letters/${encodeURIComponent(letter.id)}/redrive`;
  return letter.redrivenAt === null
    ? html`<button data-key="redrive-${letter.id}" data-path="${path}">Send again</button>`
    : html`<span class="muted">sent again ${time(letter.redrivenAt)}</span>`;
};

/** Messages that no function could take. */
export const deadLettersList = ({ base }: PageFrame, letters: readonly DeadLetterView[]): Html =>
  letters.length === 0
    ? html`<p class="muted">No dead letters.</p>`
    : html`<ul class="items">
        ${letters.map(
          (letter) =>
            html`<li>
              <div class="row apart">
                <a class="mono" href="${base}dead-letters/${encodeURIComponent(letter.id)}"
                  >${letter.id}</a
                >
                ${redriveButton(letter)}
              </div>
              <p class="bad">${letter.reason}</p>
              <p class="muted">${letter.function} · ${time(letter.receivedAt)}</p>
            </li>`,
        )}
      </ul>`;
