/** A model with what serves, what is under way, and the buttons of an operator. */
import type { ModelView } from "../api/views.js";
import { html } from "./html.js";
import type { Html } from "./html.js";
import type { PageFrame } from "./page.js";
import { stepList, trafficBar } from "./traffic.js";
import { badge, time } from "./values.js";

/** The one word for a model's state. */
export const stateOf = ({ isPaused, parkedReason, rollout, run }: ModelView): string => {
  if (isPaused) return "paused";
  if (parkedReason !== null) return "parked";
  if (rollout !== null) return rollout.phase;
  return run === null ? "idle" : run.phase;
};

const command = (model: string, label: string, name: string, confirmation: string | null): Html =>
  html`<button
    data-key="${name}-${model}"
    data-path="/models/${model}/commands"
    data-body="${JSON.stringify({ command: name })}"
    ${confirmation === null ? null : html` class="danger" data-confirm="${confirmation}"`}
  >
    ${label}
  </button>`;

const approval = (
  model: string,
  about: { readonly rollout: string } | { readonly run: string },
  decision: "approve" | "refuse",
): Html =>
  html`<button${decision === "approve" ? html` class="main"` : null} data-key="${decision}-${Object.values(about).join("")}" data-path="/approvals" data-body="${JSON.stringify({ model, ...about, decision })}">${decision === "approve" ? "Approve" : "Refuse"}</button>`;

/** The buttons that make sense in the model's state. */
export const buttons = (view: ModelView): Html => {
  const { model, rollout } = view;
  const isStopped =
    view.isPaused ||
    view.parkedReason !== null ||
    rollout?.phase === "paused" ||
    rollout?.phase === "parked";
  const asking =
    rollout?.phase === "awaiting-approval"
      ? { rollout: rollout.rollout }
      : view.run?.phase === "awaiting-approval"
        ? { run: view.run.run }
        : null;
  const mayEnd = rollout !== null && rollout.phase !== "cleaning";
  return html`<div class="row" role="group" aria-label="Commands for ${model}">
    ${isStopped ? command(model, "Resume", "resume", null) : command(model, "Pause", "pause", null)}
    ${(rollout?.phase === "progressing" || rollout?.phase === "smoke-testing" || rollout?.phase === "parked") && command(model, "Skip step", "skip", `Let version ${rollout.versionId} pass this step without a verdict?`)}
    ${mayEnd && command(model, "Abort rollout", "abort", `End the rollout of version ${rollout.versionId} and send all traffic to the champion?`)}
    ${view.champion !== null && command(model, "Roll back", "roll-back", `Return ${model} to the version before?`)}
    ${view.run !== null && command(model, "Cancel run", "cancel-run", `Cancel run ${view.run.run}?`)}
    ${asking !== null && html`${approval(model, asking, "approve")}${approval(model, asking, "refuse")}`}
  </div>`;
};

/** A model on the overview. */
export const modelCard = (frame: PageFrame, view: ModelView): Html => {
  const { base } = frame;
  const { champion, rollout, run } = view;
  return html`<article class="card">
    <div class="row apart">
      <h3><a href="${base}models/${view.model}">${view.model}</a></h3>
      ${badge(stateOf(view))}
    </div>
    <p class="muted">
      ${view.description ?? `owner ${view.owner}`}${view.mode === "observe-only" && " · observe-only"}
    </p>
    ${
      champion === null
        ? html`<p>No champion yet.</p>`
        : html`<p>
            Champion: version <strong>${champion.versionId}</strong> since ${time(champion.since)}
          </p>`
    }
    ${
      rollout !== null &&
      html`<p>
        Challenger: version <strong>${rollout.versionId}</strong> ·
        <a href="${base}rollouts/${rollout.rollout}">${rollout.phase.replaceAll("-", " ")}</a>
      </p>`
    }
    ${champion !== null || rollout !== null ? trafficBar(view.weights) : null}
    ${rollout !== null && stepList(rollout)}
    ${rollout !== null && rollout.waitsFor !== null && html`<p class="busy">Waits for ${rollout.waitsFor}</p>`}
    ${rollout !== null && rollout.lastVerdict !== null && html`<p class="muted">${rollout.lastVerdict.result}: ${rollout.lastVerdict.reasons[0] ?? ""}</p>`}
    ${run !== null && html`<p>Run <a class="mono" href="${base}runs/${run.run}">${run.run}</a> ${run.phase}${run.waitsFor !== null && ` · waits for ${run.waitsFor}`}</p>`}
    ${view.trigger !== null && html`<p class="muted">${view.trigger.count} ${view.trigger.kind} trigger${view.trigger.count === 1 ? "" : "s"} due at ${time(view.trigger.dueAt)}</p>`}
    ${view.parkedReason !== null && html`<p class="bad">Parked: ${view.parkedReason}</p>`}
    ${buttons(view)}
  </article>`;
};
