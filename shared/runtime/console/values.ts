/** Values as people read them on a page. */
import { html } from "./html.js";
import type { Html } from "./html.js";

/** A number with as many digits as say something. */
export const number = (value: number): string =>
  Number.isInteger(value) ? String(value) : String(Number(value.toPrecision(4)));

/** A span of time. */
export const duration = (ms: number): string => {
  const seconds = Math.max(0, ms) / 1000;
  if (seconds < 10) return `${seconds.toFixed(1)} s`;
  if (seconds < 120) return `${Math.round(seconds)} s`;
  if (seconds < 7200) return `${Math.round(seconds / 60)} min`;
  return seconds < 172_800
    ? `${Math.round(seconds / 3600)} h`
    : `${Math.round(seconds / 86_400)} d`;
};

/** An instant, shown in the reader's own time zone by the client. */
export const time = (instant: string | null): Html =>
  instant === null
    ? html`–`
    : html`<time datetime="${instant}">${instant.slice(11, 19)} UTC</time>`;

/** The colour of a word of state. */
type Tone = "good" | "bad" | "busy" | "calm";

const tones: Readonly<Record<string, Tone>> = {
  registered: "good",
  promoted: "good",
  successful: "good",
  go: "good",
  accept: "good",
  healthy: "good",
  "no anomaly": "good",
  failed: "bad",
  rejected: "bad",
  "rolled-back": "bad",
  error: "bad",
  aborted: "bad",
  parked: "bad",
  stop: "bad",
  reject: "bad",
  anomaly: "bad",
  decayed: "bad",
  worse: "bad",
  cancelled: "calm",
  paused: "calm",
  idle: "calm",
  inconclusive: "calm",
};

/** A word of state as a badge. */
export const badge = (word: string): Html =>
  html`<span class="badge ${tones[word] ?? "busy"}">${word.replaceAll("-", " ")}</span>`;

/** Numbers by name as a list of pairs. */
export const numberList = (values: Readonly<Record<string, number>>): Html | null =>
  Object.keys(values).length === 0
    ? null
    : html`<dl class="numbers">
        ${Object.entries(values).map(
          ([name, value]) =>
            html`<div>
              <dt>${name}</dt>
              <dd>${number(value)}</dd>
            </div>`,
        )}
      </dl>`;
