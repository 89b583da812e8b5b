/** The console's pages. */
import type { ApiContext } from "../api/context.js";
import { notFound } from "../api/errors.js";
import { getModel } from "../api/models.js";
import { findRollout, findRun, recentRollouts, recentRuns } from "../api/runs.js";
import { existingModel } from "../api/read.js";
import { deadLetterDetail, deadLetterView, entryView, modelView } from "../api/views.js";
import { explanationOf } from "../api/why.js";
import type { Manifest } from "../../manifest/schema.js";
import type { ModelName } from "../../../events/ids.js";
import { evaluationOf } from "../api/verdicts.js";
import { evaluationPlots } from "./evaluation-plots.js";
import { html } from "./html.js";
import { monitoringBlock } from "./monitoring.js";
import { newestReport } from "../monitoring/reports.js";
import type { Html } from "./html.js";
import { buttons, modelCard, stateOf } from "./model-card.js";
import { page } from "./page.js";
import type { PageFrame } from "./page.js";
import { explanationBlock, timelineBlock } from "./story.js";
import { deadLettersList, rolloutsList, runsList } from "./tables.js";
import { stepList, trafficBar, weightChart } from "./traffic.js";
import { badge, number, time } from "./values.js";

const rowsMax = 12;
const entriesMax = 120;

/** Entries that say something: a look that found nothing to do is left out. */
const recentEntries = async ({ ports }: ApiContext, model?: ModelName) => {
  const entries = await ports.state.timeline({
    ...(model === undefined ? {} : { model }),
    limit: entriesMax,
  });
  return entries
    .filter(
      ({ event, decisions }) =>
        event.type !== "model.visited" ||
        decisions.some(({ decision }) => decision.do !== "ignore"),
    )
    .map(entryView);
};

/** GET / */
export const overviewPage = async (context: ApiContext, frame: PageFrame): Promise<string> => {
  const [states, entries, runs, rollouts, letters] = await Promise.all([
    context.ports.state.models({ by: "all" }),
    recentEntries(context),
    recentRuns(context, { limit: rowsMax }),
    recentRollouts(context, { limit: rowsMax }),
    context.ports.state.deadLetters(rowsMax),
  ]);
  const models = states
    .map(modelView)
    .toSorted((left, right) => left.model.localeCompare(right.model));
  return page(
    frame,
    "Overview",
    html`<h1 class="skip">Overview</h1>
      <section id="models" data-live aria-label="Models">
        ${
          models.length === 0
            ? html`<div class="card">
                <h2>No models yet</h2>
                <p>Bring one: <code>continuo apply -f model.yaml</code></p>
              </div>`
            : html`<div class="cards">${models.map((model) => modelCard(frame, model))}</div>`
        }
      </section>
      <div class="columns">
        <section class="card">
          <h2>Timeline</h2>
          <div id="timeline" data-live>${timelineBlock(frame, entries)}</div>
        </section>
        <div class="stack">
          <section class="card">
            <h2>Runs</h2>
            <div id="runs" data-live>${runsList(frame, runs)}</div>
          </section>
          <section class="card">
            <h2>Rollouts</h2>
            <div id="rollouts" data-live>${rolloutsList(frame, rollouts)}</div>
          </section>
          <section class="card">
            <h2>Dead letters</h2>
            <div id="dead-letters" data-live>
              ${deadLettersList(frame, letters.map(deadLetterView))}
            </div>
          </section>
        </div>
      </div>`,
  );
};

const exampleOf = ({ dataset }: Manifest): string =>
  JSON.stringify(
    Object.fromEntries(
      dataset.features.map(({ name, type }) => [name, type === "numeric" ? 0 : "text"]),
    ),
    null,
    2,
  );

const predictionForm = (model: string, manifest: Manifest): Html =>
  html`<form data-predict="/models/${model}/predict">
    <label for="instances">Instances as JSON, one or a list</label>
    <textarea id="instances" spellcheck="false">${exampleOf(manifest)}</textarea>
    <div class="row"><button class="main">Predict</button></div>
    <pre><output aria-live="polite">The answer comes from the production endpoint.</output></pre>
  </form>`;

interface Endpoint {
  readonly environment: string;
  readonly endpoint: string;
  readonly trafficSplit: Readonly<Record<string, number>>;
  readonly problem: string | null;
}

const isEndpointList = (body: unknown): body is { readonly endpoints: readonly Endpoint[] } =>
  typeof body === "object" && body !== null && "endpoints" in body;

/** GET /models/:model */
export const modelPage = async (
  context: ApiContext,
  frame: PageFrame,
  name: string,
): Promise<string> => {
  const state = await existingModel(context, name);
  const view = modelView(state);
  const request = { method: "GET", path: "", query: new URLSearchParams(), body: "" };
  const [reply, monitoring, entries, runs, rollouts] = await Promise.all([
    getModel(context, request, { model: name }),
    newestReport(state.model, context.ports),
    recentEntries(context, state.model),
    recentRuns(context, { model: state.model, limit: rowsMax }),
    recentRollouts(context, { model: state.model, limit: rowsMax }),
  ]);
  const endpoints = reply.kind === "json" && isEndpointList(reply.body) ? reply.body.endpoints : [];
  return page(
    frame,
    view.model,
    html`<section class="card" id="model" data-live>
        <div class="row apart">
          <h1>${view.model}</h1>
          ${badge(stateOf(view))}
        </div>
        <p class="muted">
          ${view.description ?? ""} owner ${view.owner} · manifest version ${view.manifestVersion} ·
          ${view.mode}
        </p>
        ${view.champion !== null && html`<p>Champion: version <strong>${view.champion.versionId}</strong> since ${time(view.champion.since)}${view.champion.run !== null && html` from <a class="mono" href="${frame.base}runs/${view.champion.run}">${view.champion.run}</a>`}</p>`}
        ${view.rollout !== null && html`<p>Challenger: version <strong>${view.rollout.versionId}</strong> · <a href="${frame.base}rollouts/${view.rollout.rollout}">${view.rollout.phase}</a></p>`}
        ${trafficBar(view.weights)} ${view.rollout !== null && stepList(view.rollout)}
        ${view.parkedReason !== null && html`<p class="bad">Parked: ${view.parkedReason}</p>`}
        <p class="muted">
          Budget of ${view.budget.month}: ${number(view.budget.spentUsd)} USD spent,
          ${number(view.budget.reservedUsd)} USD reserved
        </p>
        ${buttons(view)}
      </section>
      <div class="columns">
        <div class="stack">
          <section class="card">
            <h2>Timeline</h2>
            <div id="timeline" data-live>${timelineBlock(frame, entries)}</div>
          </section>
        </div>
        <div class="stack">
          <section class="card">
            <h2>Ask for a prediction</h2>
            ${predictionForm(view.model, state.manifest)}
          </section>
          <section class="card">
            <h2>Endpoints</h2>
            <div id="endpoints" data-live class="scroll">
              <table>
                <thead>
                  <tr>
                    <th scope="col">Environment</th>
                    <th scope="col">Endpoint</th>
                    <th scope="col">Traffic split</th>
                  </tr>
                </thead>
                <tbody>
                  ${endpoints.map(
                    ({ environment, endpoint, trafficSplit, problem }) =>
                      html`<tr>
                        <td>${environment}</td>
                        <td class="mono">${endpoint}</td>
                        <td>
                          ${
                            problem ??
                            (Object.entries(trafficSplit)
                              .map(([id, percent]) => `${id}: ${percent} %`)
                              .join(", ") ||
                              "no traffic yet")
                          }
                        </td>
                      </tr>`,
                  )}
                </tbody>
              </table>
            </div>
          </section>
          <section class="card">
            <h2>Monitoring</h2>
            <div id="monitoring" data-live>${monitoringBlock(monitoring?.report ?? null)}</div>
          </section>
          <section class="card">
            <h2>Runs</h2>
            <div id="runs" data-live>${runsList(frame, runs)}</div>
          </section>
          <section class="card">
            <h2>Rollouts</h2>
            <div id="rollouts" data-live>${rolloutsList(frame, rollouts)}</div>
          </section>
        </div>
      </div>`,
  );
};

const pairs = (values: Readonly<Record<string, number>>): readonly string[] => [
  ...new Set(
    Object.keys(values).flatMap((name) => {
      const metric = /^(?:champion|challenger)\.(?<metric>.+)$/.exec(name)?.groups?.["metric"];
      return metric === undefined ? [] : [metric];
    }),
  ),
];

/** Champion and challenger beside each other where the numbers name both. */
const comparisonTable = (values: Readonly<Record<string, number>>): Html | null => {
  const metrics = pairs(values);
  if (metrics.length === 0) return null;
  const cell = (name: string): string => {
    const value = values[name];
    return value === undefined ? "–" : number(value);
  };
  return html`<table>
    <thead>
      <tr>
        <th scope="col">Metric</th>
        <th scope="col" class="figure">Champion</th>
        <th scope="col" class="figure">Challenger</th>
      </tr>
    </thead>
    <tbody>
      ${metrics.map(
        (metric) =>
          html`<tr>
            <th scope="row">${metric}</th>
            <td class="figure">${cell(`champion.${metric}`)}</td>
            <td class="figure">${cell(`challenger.${metric}`)}</td>
          </tr>`,
      )}
    </tbody>
  </table>`;
};

/** GET /runs/:run */
export const runPage = async (
  context: ApiContext,
  frame: PageFrame,
  id: string,
): Promise<string> => {
  const run = await findRun(context, id);
  if (run === null) throw notFound(`there is no run "${id}"`);
  const [explanation, report] = await Promise.all([
    explanationOf(context, id),
    evaluationOf(context, run),
  ]);
  return page(
    frame,
    run.run,
    html`<section class="card" id="run" data-live>
        <div class="row apart">
          <h1>${run.run}</h1>
          ${badge(run.outcome ?? run.phase)}
        </div>
        <p>
          Model <a href="${frame.base}models/${run.model}">${run.model}</a> · ${run.trigger}:
          ${run.reason}
        </p>
        <p class="muted">
          asked ${time(run.requestedAt)} · submitted ${time(run.submittedAt)} · ended
          ${time(run.endedAt)}${run.versionId !== null && ` · registered version ${run.versionId}`}
        </p>
        <p class="mono muted">${run.datasetUris.join(" ")}</p>
        ${
          run.evaluation !== null &&
          html`<h2>Evaluation: ${run.evaluation.outcome}</h2>
            ${comparisonTable(run.evaluation.numbers)} ${report !== null && evaluationPlots(report)}
            <p class="mono muted">${run.evaluation.report}</p>`
        }
      </section>
      <div id="why" data-live class="stack">
        ${explanation !== null && explanationBlock(explanation)}
      </div>`,
  );
};

/** GET /rollouts/:rollout */
export const rolloutPage = async (
  context: ApiContext,
  frame: PageFrame,
  id: string,
): Promise<string> => {
  const rollout = await findRollout(context, id);
  if (rollout === null) throw notFound(`there is no rollout "${id}"`);
  const [explanation, state] = await Promise.all([
    explanationOf(context, id),
    existingModel(context, rollout.model),
  ]);
  return page(
    frame,
    rollout.rollout,
    html`<section class="card" id="rollout" data-live>
        <div class="row apart">
          <h1>${rollout.rollout}</h1>
          ${badge(rollout.outcome ?? rollout.phase)}
        </div>
        <p>
          Version <strong>${rollout.versionId}</strong> of
          <a href="${frame.base}models/${rollout.model}">${rollout.model}</a
          >${rollout.run !== null && html` from <a class="mono" href="${frame.base}runs/${rollout.run}">${rollout.run}</a>`}
        </p>
        <p class="muted">
          started ${time(rollout.startedAt)} · ended ${time(rollout.endedAt)} ·
          <span class="mono">${rollout.artifactDigest}</span>
        </p>
        ${stepList(rollout)}
        ${rollout.waitsFor !== null && html`<p class="busy">Waits for ${rollout.waitsFor}</p>`}
        ${rollout.finds !== null && html`<p class="muted">Expected: ${rollout.finds}</p>`}
        ${rollout.byHand !== null && html`<p class="muted">By hand it ends with <code>${rollout.byHand}</code></p>`}
        ${rollout.isLive && buttons(modelView(state))} ${weightChart(rollout)}
        <ol class="items" aria-label="Measurements">
          ${rollout.history.map(
            ({ at, weight, verdict }) =>
              html`<li>
                <div class="row">
                  ${badge(verdict.result)}<strong>${weight} %</strong>${time(at)}
                </div>
                <p>${verdict.reasons.join("; ")}</p>
              </li>`,
          )}
        </ol>
      </section>
      <div id="why" data-live class="stack">
        ${explanation !== null && explanationBlock(explanation)}
      </div>`,
  );
};

/** GET /dead-letters/:id */
export const deadLetterPage = async (
  { ports }: ApiContext,
  frame: PageFrame,
  id: string,
): Promise<string> => {
  const letter = await ports.state.deadLetter(id);
  if (letter === null) throw notFound(`there is no dead letter "${id}"`);
  const detail = deadLetterDetail(letter);
  return page(
    frame,
    `Dead letter ${id.slice(0, 16)}`,
    html`<section class="card" id="letter" data-live>
      <h1>Dead letter <span class="mono">${detail.id}</span></h1>
      <p>
        Topic ${detail.topic}, function ${detail.function}, came
        ${time(detail.receivedAt)}${detail.redrivenAt !== null && html`, sent again ${time(detail.redrivenAt)}`}
      </p>
      <p class="bad">${detail.reason}</p>
      <div class="row">
        <button
          data-key="redrive"
          data-path="/dead-letters/${encodeURIComponent(detail.id)}/redrive"
        >
          Send again
        </button>
      </div>
      <h2>Attributes</h2>
      <pre>${JSON.stringify(detail.attributes, null, 2)}</pre>
      <h2>Body</h2>
      <pre>${detail.body ?? `${detail.bytes} bytes that are no text`}</pre>
    </section>`,
  );
};

/** GET /why/:id */
export const whyPage = async (
  context: ApiContext,
  frame: PageFrame,
  id: string,
): Promise<string> => {
  const explanation = await explanationOf(context, id);
  if (explanation === null) throw notFound(`nothing is known of "${id}"`);
  return page(
    frame,
    id,
    html`<h1>${id}</h1>
      <div id="why" data-live class="stack">${explanationBlock(explanation)}</div>`,
  );
};
