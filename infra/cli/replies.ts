/** What the commands read of the api's replies; fields they do not name pass through to --json. */
import { z } from "zod";

const numbers = z.record(z.string(), z.number());

const decisionReply = z.looseObject({
  do: z.string(),
  what: z.string(),
  reason: z.string(),
});

export const entryReply = z.looseObject({
  key: z.string(),
  at: z.string(),
  model: z.string().nullable(),
  type: z.string(),
  what: z.string(),
  function: z.string(),
  isPending: z.boolean(),
  decisions: z.array(decisionReply.extend({ numbers })),
});

const verdictReply = z.looseObject({
  result: z.string(),
  reasons: z.array(z.string()),
  numbers,
});

export const runReply = z.looseObject({
  run: z.string(),
  model: z.string(),
  phase: z.string(),
  outcome: z.string().nullable(),
  trigger: z.string(),
  reason: z.string(),
  reasons: z.array(z.string()),
  requestedAt: z.string(),
  endedAt: z.string().nullable(),
  datasetUris: z.array(z.string()),
  fingerprint: z.string(),
  versionId: z.string().nullable(),
  evaluation: z
    .looseObject({ outcome: z.string(), reasons: z.array(z.string()), numbers, report: z.string() })
    .nullable(),
});

export const rolloutReply = z.looseObject({
  rollout: z.string(),
  model: z.string(),
  phase: z.string(),
  outcome: z.string().nullable(),
  reasons: z.array(z.string()),
  run: z.string().nullable(),
  versionId: z.string(),
  startedAt: z.string(),
  endedAt: z.string().nullable(),
  weight: z.number().nullable(),
  steps: z.array(z.number()).nullable(),
  finds: z.string().nullable().default(null),
  waitsFor: z.string().nullable(),
  byHand: z.string().nullable(),
  lastVerdict: verdictReply.nullable(),
  history: z.array(z.looseObject({ at: z.string(), weight: z.number(), verdict: verdictReply })),
});

export const modelReply = z.looseObject({
  model: z.string(),
  owner: z.string(),
  mode: z.string(),
  manifestVersion: z.number(),
  isPaused: z.boolean(),
  parkedReason: z.string().nullable(),
  champion: z.looseObject({ versionId: z.string(), since: z.string() }).nullable(),
  run: runReply.nullable(),
  rollout: rolloutReply.nullable(),
  weights: numbers,
});

export const modelDetailReply = modelReply.extend({
  endpoints: z.array(
    z.looseObject({
      environment: z.string(),
      endpoint: z.string(),
      deployed: z.array(z.string()),
      trafficSplit: numbers,
      problem: z.string().nullable(),
    }),
  ),
  datasets: z.array(
    z.looseObject({
      fingerprint: z.string(),
      uris: z.array(z.string()),
      arrivedAt: z.string(),
      isStopped: z.boolean(),
    }),
  ),
});

export const deadLetterReply = z.looseObject({
  id: z.string(),
  function: z.string(),
  topic: z.string(),
  reason: z.string(),
  receivedAt: z.string(),
  redrivenAt: z.string().nullable(),
  bytes: z.number(),
});

export const statusReply = z.looseObject({
  models: z.number(),
  champions: z.number(),
  liveRuns: z.number(),
  liveRollouts: z.number(),
  waitingForPeople: z.array(z.object({ model: z.string(), what: z.string() })),
  deadLetters: z.number(),
  recentRuns: numbers,
  recentRollouts: numbers,
});

export const explanationReply = z.looseObject({
  id: z.string(),
  kind: z.string(),
  answer: z.string(),
  reasons: z.array(z.string()),
  numbers,
  verdicts: z
    .array(
      z.looseObject({
        about: z.string(),
        result: z.string(),
        inputs: z.array(z.string()),
        method: z.string(),
        findings: z.array(z.string()).default([]),
        numbers,
        thresholds: numbers,
        policyVersion: z.number().nullable(),
      }),
    )
    .default([]),
  steps: z.array(
    z.looseObject({
      when: z.string(),
      what: z.string(),
      decision: z.string(),
      reason: z.string(),
      numbers,
    }),
  ),
});

export const chainReply = z.looseObject({
  model: z.string(),
  isIntact: z.boolean(),
  records: z.number(),
  since: z.number().nullable(),
  head: z.looseObject({ sequence: z.number(), hash: z.string() }).nullable(),
  anchors: z.number(),
  expired: z.number(),
  problems: z.array(
    z.looseObject({
      kind: z.string(),
      sequence: z.number(),
      event: z.string().nullable(),
      what: z.string(),
    }),
  ),
});

export const outcomeReply = z.looseObject({
  isEffective: z.boolean(),
  decisions: z.array(decisionReply),
});

export const planReply = z.looseObject({
  model: z.string(),
  version: z.number(),
  isApplied: z.boolean(),
  action: z.enum(["create", "update", "unchanged"]),
  changes: z.array(z.looseObject({ path: z.string(), before: z.unknown(), after: z.unknown() })),
  effects: z.array(z.string()),
  decisions: z.array(decisionReply).optional(),
});
