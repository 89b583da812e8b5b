/** Simulated canaries: minutes are drawn, and every rule looks at the same ones after each. */
import { assess } from "../../shared/domain/analysis.js";
import type { Segment } from "../../shared/domain/state.js";
import { manifestSchema } from "../../shared/manifest/schema.js";
import { binomialDraw, seededRandom, type Random } from "../../shared/statistics/random.js";

/** Looks, one a minute, and what each minute brings. */
export const canary = { looks: 60, requestsPerMinute: 1000, share: 0.1, alpha: 0.05 } as const;

/** Natural log of the evidence at which a rollout is rolled back. */
export const logEvidenceLimit = -Math.log(canary.alpha);

/** What a manifest that says nothing of the analysis gets. */
export const defaultPolicy = manifestSchema.shape.rollout.parse({}).analysis;

/** Requests of one minute; each goes to the challenger by chance, as the router does it. */
export function minuteRequests(
  random: Random,
  {
    share = canary.share,
    requestsPerMinute = canary.requestsPerMinute,
  }: { readonly share?: number; readonly requestsPerMinute?: number } = {},
): { readonly challenger: number; readonly champion: number } {
  const challenger = binomialDraw(random, requestsPerMinute, share);
  return { challenger, champion: requestsPerMinute - challenger };
}

const silent = { requests: 0, errors: 0, latencies: [] };

const segmentOf = (measured: Partial<Segment>): Segment => ({
  weight: 100 * canary.share,
  startMs: 0,
  endMs: 0,
  bounds: [],
  champion: silent,
  challenger: silent,
  slower: [],
  dispersion: { statistic: 0, degrees: 0 },
  memory: { logGrowth: 0, championBytes: 0, challengerBytes: 0 },
  busier: { compared: 0, busier: 0 },
  ...measured,
});

/** Whether the control plane's own analysis rolls back, given what the minutes of each step so far measured. */
export function isRolledBack(
  steps: readonly Partial<Segment>[],
  policy: Partial<typeof defaultPolicy>,
): boolean {
  const segments = steps.map(segmentOf);
  const verdict = assess({
    earlier: segments.slice(0, -1),
    current: segments.at(-1) ?? null,
    stepStartedAtMs: 0,
    bakeMs: canary.looks * 60_000,
    policy: { ...defaultPolicy, alpha: canary.alpha, ...policy },
  });
  return verdict.result === "failed";
}

/** A rule looks at the minutes so far; true means roll back. */
export type Rule<Minute> = (minutes: readonly Minute[]) => boolean;

/** What happened under a rule. */
export interface Outcome {
  readonly rule: string;
  readonly repetitions: number;
  readonly rolledBack: number;
  /** Minutes until each rollback. */
  readonly delays: readonly number[];
}

/** How often to play, from which seed on, and which rules, by the beginnings of their names; without any, all. */
export interface PlayOptions {
  readonly repetitions: number;
  readonly seed: number;
  readonly only?: readonly string[];
}

/** Plays canaries of an hour; all rules see the same minutes. */
export function playCanaries<Minute>(
  rules: Readonly<Record<string, Rule<Minute>>>,
  nextMinute: (random: Random, minute: number) => Minute,
  options: PlayOptions,
): readonly Outcome[] {
  const { only } = options;
  const random = seededRandom(options.seed);
  const names = Object.keys(rules).filter(
    (name) => only === undefined || only.some((begin) => name.startsWith(begin)),
  );
  const delays = new Map<string, number[]>(names.map((name) => [name, []]));
  for (let repetition = 0; repetition < options.repetitions; repetition += 1) {
    const minutes: Minute[] = [];
    const waiting = new Set(names);
    while (minutes.length < canary.looks && waiting.size > 0) {
      minutes.push(nextMinute(random, minutes.length));
      for (const name of waiting) {
        if (rules[name]?.(minutes) !== true) continue;
        delays.get(name)?.push(minutes.length);
        waiting.delete(name);
      }
    }
  }
  return [...delays].map(([rule, found]) => ({
    rule,
    repetitions: options.repetitions,
    rolledBack: found.length,
    delays: found,
  }));
}
