import { describe, expect, it } from "vitest";
import { deployedModelId, runId, type ModelVersionId } from "../../../events/ids.js";
import type { Decision } from "../../../shared/domain/decision.js";
import type { ModelState } from "../../../shared/domain/state.js";
import { supersededBy } from "../../../shared/domain/superseded.js";
import { manifestOf } from "../../fixtures/manifest.js";
import {
  champion,
  championInProduction,
  championInQa,
  churn,
  cleaning,
  inProduction,
  inQa,
  production,
  progressing,
  qa,
  rollouts,
  run,
  runs,
  stateOf,
} from "./situations.js";

const reason = "x";
const version2 = progressing.versionId;

const deploy: Decision = {
  do: "deploy-model",
  environment: "production",
  endpoint: production,
  deployedModelId: inProduction,
  versionId: version2,
  reason,
};

const split = (weights: Readonly<Record<string, number>>, endpoint = production): Decision => ({
  do: "set-traffic-split",
  endpoint,
  split: weights,
  expected: {},
  reason,
});

const canaryAt = (weight: number): Decision =>
  split({ [championInProduction]: 100 - weight, [inProduction]: weight });

const submit: Decision = {
  do: "submit-pipeline-job",
  to: runs.validating as typeof runs.validating & { phase: "validating" },
  job: { run, template: null, parameters: {}, labels: {} },
  reason,
};

const register: Decision = {
  do: "register-model-version",
  to: runs.registering as typeof runs.registering & { phase: "registering" },
  alias: run,
  isFirst: false,
  reason,
};

const aliases = (versionId: ModelVersionId, ...list: string[]): Decision => ({
  do: "set-aliases",
  versionId,
  aliases: list,
  reason,
});

const removeOf = (versionId: ModelVersionId): Decision => ({
  do: "remove-model-version",
  versionId,
  reason,
});

const remove = removeOf(version2);

const uploaded = [{ run, versionId: version2, atMs: 0 }];

const adopt: Decision = {
  do: "adopt-manifest",
  model: churn,
  manifest: manifestOf(),
  version: 1,
  digest: "m1",
  reason,
};

const undeploy = (id: typeof inQa): Decision => ({
  do: "undeploy-model",
  endpoint: qa,
  deployedModelId: id,
  reason,
});

const notify: Decision = { do: "notify", severity: "info", title: "t", body: "b", reason };

const withChampion = (changes: Partial<ModelState> = {}): ModelState =>
  stateOf({ champion, ...changes });

const table: readonly (readonly [string, Decision, ModelState | null, boolean])[] = [
  ["a deployment of the live rollout", deploy, withChampion({ rollout: rollouts.deploying }), true],
  ["a deployment of an ended rollout", deploy, withChampion({ rollout: cleaning }), false],
  ["a deployment of no rollout", deploy, withChampion(), false],
  ["the current step", canaryAt(10), withChampion({ rollout: progressing }), true],
  ["the current step while paused", canaryAt(10), withChampion({ rollout: rollouts.paused }), true],
  [
    "an earlier step",
    canaryAt(10),
    withChampion({ rollout: { ...progressing, step: 1, weight: 50 } }),
    false,
  ],
  ["a step of an ended rollout", canaryAt(10), withChampion({ rollout: cleaning }), false],
  ["a step after its rollout", canaryAt(10), withChampion(), false],
  [
    "all traffic of QA to the challenger",
    split({ [inQa]: 100 }, qa),
    withChampion({ rollout: rollouts["smoke-testing"] }),
    true,
  ],
  [
    "all traffic back to the champion",
    split({ [championInProduction]: 100 }),
    withChampion({ rollout: cleaning }),
    true,
  ],
  ["no traffic at all, where no champion is", split({}), stateOf({ rollout: cleaning }), true],
  [
    "all traffic of QA to the champion, while a challenger is tested there",
    split({ [championInQa]: 100 }, qa),
    withChampion({ rollout: rollouts["smoke-testing"] }),
    false,
  ],
  [
    "all traffic of QA to the champion, once a challenger has passed its test there",
    split({ [championInQa]: 100 }, qa),
    withChampion({ rollout: progressing }),
    false,
  ],
  [
    "all traffic to the champion, while a canary has begun",
    split({ [championInProduction]: 100 }),
    withChampion({ rollout: progressing }),
    false,
  ],
  [
    "all traffic to the first champion of a rollout",
    split({ [inProduction]: 100 }),
    stateOf({
      champion: { ...champion, deployed: { qa: inQa, production: inProduction } },
      rollout: { ...cleaning, outcome: "promoted" },
    }),
    true,
  ],
  [
    "all traffic to a former champion",
    split({ [deployedModelId.parse("77")]: 100 }),
    withChampion(),
    false,
  ],
  ["a submission of the live run", submit, withChampion({ run: runs.validating }), true],
  ["a submission of a cancelled run", submit, withChampion({ run: runs.cancelling }), false],
  [
    "a submission of an earlier run",
    submit,
    withChampion({ run: { ...runs.validating, run: runId.parse("churn-r2") } }),
    false,
  ],
  ["a submission after its run", submit, withChampion(), false],
  ["a registration of the live run", register, withChampion({ run: runs.registering }), true],
  ["a registration after its run", register, withChampion(), false],
  [
    "alias challenger of the live rollout",
    aliases(version2, "challenger"),
    withChampion({ rollout: progressing }),
    true,
  ],
  [
    "alias challenger of an ended rollout",
    aliases(version2, "challenger"),
    withChampion({ rollout: cleaning }),
    false,
  ],
  [
    "alias challenger taken from an ended rollout's version",
    aliases(version2, "-challenger"),
    withChampion({ rollout: cleaning }),
    true,
  ],
  [
    "alias challenger taken from a version that is rolled out again",
    aliases(version2, "-challenger"),
    withChampion({ rollout: rollouts.deploying }),
    false,
  ],
  [
    "alias champion of the champion",
    aliases(champion.versionId, "champion", "default", "-challenger"),
    withChampion(),
    true,
  ],
  [
    "alias champion of a former champion",
    aliases(version2, "champion", "default", "-challenger"),
    withChampion(),
    false,
  ],
  [
    "a run's alias for a version that is being rolled out",
    aliases(version2, "churn-r1"),
    withChampion({ rollout: rollouts.deploying }),
    true,
  ],
  [
    "alias default beside a champion",
    aliases(version2, "churn-r1", "default"),
    withChampion(),
    false,
  ],
  [
    "alias default before there is one",
    aliases(version2, "churn-r1", "default"),
    stateOf({}),
    true,
  ],
  ["a removal of what nobody names", remove, withChampion(), true],
  ["a removal of the champion", removeOf(champion.versionId), withChampion(), false],
  [
    "a removal of a former champion",
    remove,
    withChampion({ former: [{ ...champion, versionId: version2 }] }),
    false,
  ],
  ["a removal of a run's own version", remove, withChampion({ uploaded }), false],
  ["a removal of what is rolled out", remove, withChampion({ rollout: progressing }), false],
  ["the manifest that is applied", adopt, withChampion(), true],
  ["a manifest that another one replaced", adopt, withChampion({ manifestDigest: "m2" }), false],
  ["an undeployment of what nobody needs", undeploy(inQa), withChampion(), true],
  [
    "an undeployment of what the live rollout needs",
    undeploy(inQa),
    withChampion({ rollout: rollouts["smoke-testing"] }),
    false,
  ],
  ["an undeployment of the champion", undeploy(championInProduction), withChampion(), false],
  ["forgetting a model", { do: "forget-model", reason }, null, true],
  ["forgetting a model that is back", { do: "forget-model", reason }, withChampion(), false],
  ["a notification", notify, null, true],
  ["a deployment of a forgotten model", deploy, null, false],
];

describe("an effect that is performed late", () => {
  it.each(table)("%s", (_name, decision, state, isWanted) => {
    const superseded = supersededBy(decision, state);
    expect(superseded === null).toBe(isWanted);
    expect(superseded ?? "wanted").toMatch(/\w{4,}/);
  });
});
