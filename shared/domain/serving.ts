/** Between rollouts: the champion serves everything and is called champion, and what rollouts took away is gone. */
import { ignore, type Decision } from "./decision.js";
import type { Facts, Need } from "./facts.js";
import { ownMark, takeAlias } from "./rollout/aliases.js";
import { sameSplit } from "./rollout/traffic.js";
import type { ModelState, Retired } from "./state.js";

/** A call that nobody waits for any more has landed after this long, or never will. */
const retiredMsMax = 24 * 60 * 60 * 1000;

/** What a look shows may be this old: an alias that we have just moved is seen where it was. */
const aliasMsMin = 10 * 60 * 1000;

/** What rollouts took away not long ago: a late call or an old read may have left some of it deployed. */
const retiredLately = (state: ModelState, nowMs: number): readonly Retired[] =>
  (state.retired ?? []).filter(({ atMs }) => nowMs - atMs < retiredMsMax);

/** Whether a rollout ended long enough ago for its last calls to show, and not so long that none can come any more. */
const hasEndedLately = ({ ended }: ModelState, nowMs: number): boolean =>
  ended !== undefined && nowMs - ended.atMs >= aliasMsMin && nowMs - ended.atMs < retiredMsMax;

/** What to look at between rollouts: the champion's endpoint, the aliases, and where something was taken from. */
export const servingNeeds = (state: ModelState, nowMs: number): readonly Need[] => {
  const production = state.manifest.promotion.environments.at(-1);
  const endpoints = new Set(retiredLately(state, nowMs).map(({ endpoint }) => endpoint));
  if (state.champion !== null && production !== undefined) endpoints.add(production.endpoint);
  const isSettled = state.champion !== null && nowMs - state.champion.sinceMs >= aliasMsMin;
  return [
    ...[...endpoints].map((endpoint) => ({ fact: "endpoint" as const, endpoint })),
    ...(isSettled ? [{ fact: "model-version" as const, alias: "champion" }] : []),
    ...(hasEndedLately(state, nowMs)
      ? [{ fact: "model-version" as const, alias: "challenger" }]
      : []),
  ];
};

/** Nobody is rolled out, so that a challenger with our own mark is one that a late call of ours has named. */
const takeStrayAlias = ({ versions }: Facts): readonly Decision[] => {
  const holder = versions?.["challenger"];
  return holder?.aliases.includes(ownMark) === true
    ? [
        takeAlias(
          holder.versionId,
          `a call of ours came late: version ${holder.versionId} is called challenger, and no rollout is in progress`,
        ),
      ]
    : [];
};

/** The champion holds its alias; one that is missing is set again, one that another version holds is told of. */
const decideAlias = (state: ModelState, { versions }: Facts): readonly Decision[] => {
  const { champion } = state;
  const holder = versions?.["champion"];
  if (champion === null || holder === undefined) return ignore("the alias was not looked at");
  if (holder?.versionId === champion.versionId) return ignore("the champion holds its alias");
  if (holder === null) {
    return state.manifest.mode === "observe-only"
      ? ignore("observe-only: would have set alias champion again")
      : [
          {
            do: "set-aliases",
            versionId: champion.versionId,
            aliases: ["champion"],
            reason: "no version holds alias champion any more",
          },
        ];
  }
  const content = `alias:champion:${holder.versionId}`;
  return state.seen.includes(content)
    ? ignore("people were told that the alias was moved by hand")
    : [
        { do: "remember", content, reason: "people are told once" },
        {
          do: "notify",
          severity: "warning",
          title: `${state.model}: alias champion was moved by hand`,
          body: `Version ${holder.versionId} holds it; version ${champion.versionId} serves. Set alias challenger on a version to roll it out.`,
          reason: "an alias alone moves no traffic",
        },
      ];
};

/** Undeploys one leftover; users' traffic is never taken away, that of an environment without users is. */
const removeLeftover = (
  state: ModelState,
  { environment, endpoint, deployedModelId }: Retired,
  facts: Facts,
): readonly Decision[] => {
  const found = facts.endpoints?.[endpoint];
  const champion = state.champion?.deployed[environment];
  const isLeft = found?.deployed.includes(deployedModelId) === true && found.operation === null;
  if (!isLeft || champion === deployedModelId) return [];
  const hasTraffic = (found.trafficSplit[deployedModelId] ?? 0) > 0;
  if (hasTraffic && environment === state.manifest.promotion.environments.at(-1)?.name) return [];
  const isServed = champion !== undefined && found.deployed.includes(champion);
  return [
    ...(hasTraffic
      ? [
          {
            do: "set-traffic-split" as const,
            endpoint,
            split: isServed ? { [champion]: 100 } : {},
            expected: found.trafficSplit,
            reason: "a model that goes must have no traffic",
          },
        ]
      : []),
    {
      do: "undeploy-model",
      endpoint,
      deployedModelId,
      reason: `${deployedModelId} was left behind by a rollout that has ended`,
    },
  ];
};

/** The champion serves everything; anything else was done by hand. */
const decideTraffic = (state: ModelState, facts: Facts): readonly Decision[] => {
  const production = state.manifest.promotion.environments.at(-1);
  const champion = production && state.champion?.deployed[production.name];
  const found = production && facts.endpoints?.[production.endpoint];
  if (!production || !champion || !found)
    return ignore("the champion's endpoint was not looked at");
  if (sameSplit(found.trafficSplit, { [champion]: 100 }))
    return ignore("the champion serves 100 %");
  const seen = JSON.stringify(found.trafficSplit);
  const content = `split:${production.endpoint}:${seen}`;
  return state.seen.includes(content)
    ? ignore("people were told that the traffic was changed by hand")
    : [
        { do: "remember", content, reason: "people are told once" },
        {
          do: "notify",
          severity: "page",
          title: `${state.model}: traffic of ${production.endpoint} was changed by hand`,
          body: `It is ${seen}; champion ${champion} should serve 100 %. Nothing was overwritten.`,
          reason: "traffic that a person changed is never overwritten blindly",
        },
      ];
};

/** What a look at the endpoints between rollouts means. */
export const decideServing = (
  state: ModelState,
  facts: Facts,
  nowMs: number,
): readonly Decision[] => {
  const leftovers = [
    ...retiredLately(state, nowMs).flatMap((retired) => removeLeftover(state, retired, facts)),
    ...takeStrayAlias(facts),
  ];
  if (leftovers.length > 0 && state.manifest.mode === "observe-only") {
    return ignore(`observe-only: would have because ${leftovers[0]?.reason ?? ""}`);
  }
  if (leftovers.length > 0) return leftovers;
  const traffic = decideTraffic(state, facts);
  const isCalm = traffic.every((decision) => decision.do === "ignore");
  return isCalm ? decideAlias(state, facts) : traffic;
};
