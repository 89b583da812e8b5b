/** Events, decisions and explanations as lists. */
import type { EntryView } from "../api/views.js";
import type { Explanation } from "../api/why.js";
import { html } from "./html.js";
import type { Html } from "./html.js";
import type { PageFrame } from "./page.js";
import { badge, numberList, time } from "./values.js";

const decisionLine = (
  decision: {
    readonly what: string;
    readonly reason: string;
    readonly numbers: Readonly<Record<string, number>>;
  },
  isPending: boolean,
): Html =>
  html`<div class="decision">
    →
    <strong>${decision.what}</strong
    >${isPending && html` <span class="badge busy">under way</span>`}
    <span class="muted">${decision.reason}</span>${numberList(decision.numbers)}
  </div>`;

/** Bookkeeping that a reader of the timeline does not miss. */
const silent = new Set(["ignore", "set-timer", "clear-timer", "remember"]);

const entryItem = (entry: EntryView): Html => {
  const told = entry.decisions.filter((decision) => !silent.has(decision.do));
  return html`<li>
    ${time(entry.at)}
    ${entry.what}${told.length === 0 ? html` <span class="muted">– ${entry.decisions[0]?.reason ?? "nothing to do"}</span>` : null}
    ${told.map(({ what, reason, isDone }) => decisionLine({ what, reason, numbers: {} }, !isDone))}
  </li>`;
};

interface Chain {
  readonly id: string;
  readonly entries: readonly EntryView[];
}

/** Entries of one cause together, newest first in and between the chains. */
const chainsOf = (entries: readonly EntryView[]): readonly Chain[] => {
  const chains = new Map<string, EntryView[]>();
  for (const entry of entries) {
    // One arrival of data may concern several models: each has its own chain.
    const key = `${entry.model ?? ""} ${entry.chainId}`;
    const known = chains.get(key);
    if (known === undefined) chains.set(key, [entry]);
    else known.push(entry);
  }
  return [...chains].map(([id, found]) => ({ id, entries: found }));
};

const anchor = (id: string): string => `chain-${id.replaceAll(/[^A-Za-z0-9]/g, "-")}`;

const chainBlock = (frame: PageFrame, { id, entries }: Chain, isOpen: boolean): Html => {
  const first = entries.at(-1);
  const [last] = entries;
  if (first === undefined || last === undefined) return html``;
  // What the chain has come to is told before it is opened.
  const latest = entries
    .flatMap(({ decisions }) => decisions.toReversed())
    .find((decision) => !silent.has(decision.do) && decision.do !== "notify");
  return html`<details class="chain" id="${anchor(id)}" ${isOpen ? html` open` : null}>
    <summary>
      ${time(last.at)}
      ${first.model !== null && html`<a href="${frame.base}models/${first.model}">${first.model}</a> `}<strong
        >${first.what}</strong
      >
      <span class="muted">
        ${entries.length > 1 && `${entries.length} events`}
        ${latest !== undefined && `→ ${latest.what}`}
      </span>
    </summary>
    <ol>
      ${entries.map(entryItem)}
    </ol>
  </details>`;
};

const openChains = 1;
const chainsMax = 30;

/** The timeline, newest first, what belongs together under its cause. */
export const timelineBlock = (frame: PageFrame, entries: readonly EntryView[]): Html =>
  entries.length === 0
    ? html`<p class="muted">Nothing has happened yet.</p>`
    : html`${chainsOf(entries)
        .slice(0, chainsMax)
        .map((chain, index) => chainBlock(frame, chain, index < openChains))}`;

const figures = (title: string, values: Readonly<Record<string, number>>): Html | null =>
  Object.keys(values).length === 0
    ? null
    : html`<div>
        <h3>${title}</h3>
        ${numberList(values)}
      </div>`;

/** Every verdict with what it looked at, by which method, against which limits and under which policy. */
const verdictsBlock = (verdicts: Explanation["verdicts"]): Html =>
  html`<section class="card">
    <h2>What was judged</h2>
    ${verdicts.map(
      (
        { about, result, inputs, method, findings = [], numbers, thresholds, policyVersion },
        index,
      ) =>
        html`<details class="verdict" ${index === verdicts.length - 1 ? html` open` : null}>
          <summary>
            ${badge(result)} <strong>${about}</strong>${
              policyVersion !== null &&
              html` <span class="muted">manifest version ${policyVersion}</span>`
            }
          </summary>
          <p>${method}</p>
          ${
            findings.length > 0 &&
            html`<ul class="findings">
              ${findings.map((finding) => html`<li>${finding}</li>`)}
            </ul>`
          }
          <ul class="muted mono">
            ${inputs.map((input) => html`<li>${input}</li>`)}
          </ul>
          <div class="figures">${figures("Numbers", numbers)} ${figures("Limits", thresholds)}</div>
        </details>`,
    )}
  </section>`;

/** An explanation: the answer, its reasons and numbers, and the story behind it. */
export const explanationBlock = (explanation: Explanation): Html =>
  html` <section class="card">
      <h2>Verdict</h2>
      <p><strong>${explanation.answer}</strong></p>
      ${
        explanation.reasons.length > 0 &&
        html`<ul>
          ${explanation.reasons.map((reason) => html`<li>${reason}</li>`)}
        </ul>`
      }
      ${explanation.verdicts.length === 0 && numberList(explanation.numbers)}
    </section>
    ${explanation.verdicts.length > 0 && verdictsBlock(explanation.verdicts)}
    <section class="card">
      <h2>How it came to this</h2>
      ${
        explanation.steps.length === 0
          ? html`<p class="muted">The journal holds nothing more about it.</p>`
          : html`<ol class="story">
              ${explanation.steps.map(
                ({ when, what, decision, reason, numbers }) =>
                  html`<li>
                    ${time(when)}
                    ${what}${decisionLine(
                      // The cards above hold them, each beside its limit.
                      {
                        what: decision,
                        reason,
                        numbers: explanation.verdicts.length === 0 ? numbers : {},
                      },
                      false,
                    )}
                  </li>`,
              )}
            </ol>`
      }
    </section>`;
