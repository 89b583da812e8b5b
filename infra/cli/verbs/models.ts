/** `continuo models`: the models, or one of them. */
import type { Command } from "commander";
import { z } from "zod";
import { call } from "../client.js";
import { apiCommand, apiVerb, examples, print, width } from "../command.js";
import { ago, bold, colored, dim, numbers } from "../format.js";
import { modelDetailReply, modelReply } from "../replies.js";
import { table } from "../table.js";

type Model = z.infer<typeof modelReply>;
type ModelDetail = z.infer<typeof modelDetailReply>;

const stateOf = ({ isPaused, parkedReason, mode, run, rollout }: Model): string => {
  if (isPaused) return "paused";
  if (parkedReason !== null) return "parked";
  if (rollout !== null) return `rollout ${rollout.phase}`;
  if (run !== null) return `run ${run.phase}`;
  return mode === "observe-only" ? mode : "idle";
};

const split = ({ weights }: Model): string =>
  Object.entries(weights)
    .map(([role, percent]) => `${role} ${percent} %`)
    .join(" · ");

/** Models as a table. */
export const modelsTable = (models: readonly Model[]): string =>
  models.length === 0
    ? 'no models yet; "continuo apply -f model.yaml" adds one'
    : table(
        models,
        [
          { title: "model", cell: ({ model }) => model },
          {
            title: "champion",
            cell: ({ champion }) => (champion === null ? "-" : `v${champion.versionId}`),
          },
          {
            title: "challenger",
            cell: ({ rollout }) => (rollout === null ? "-" : `v${rollout.versionId}`),
          },
          { title: "traffic", cell: (model) => split(model) || "-" },
          { title: "state", cell: stateOf },
          { title: "since", cell: ({ champion }) => ago(champion?.since ?? null) },
          { title: "owner", cell: ({ owner }) => owner, isFlexible: true },
        ],
        { width, heading: dim },
      );

const detail = (model: ModelDetail): string =>
  [
    `${bold(model.model)}  ${colored(stateOf(model))}  manifest version ${model.manifestVersion}, owner ${model.owner}`,
    model.champion === null
      ? "champion    none yet"
      : `champion    version ${model.champion.versionId}, since ${ago(model.champion.since)}`,
    ...(model.rollout === null
      ? []
      : [
          `challenger  version ${model.rollout.versionId}, rollout ${model.rollout.rollout} ${model.rollout.phase}${
            model.rollout.weight === null ? "" : ` at ${model.rollout.weight} %`
          }`,
        ]),
    ...(model.run === null ? [] : [`run         ${model.run.run} ${model.run.phase}`]),
    ...(model.parkedReason === null
      ? []
      : [`parked      ${model.parkedReason}; "continuo resume ${model.model}"`]),
    "",
    table(
      model.endpoints,
      [
        { title: "environment", cell: ({ environment }) => environment },
        { title: "endpoint", cell: ({ endpoint }) => endpoint },
        { title: "traffic split", cell: ({ trafficSplit }) => numbers(trafficSplit) || "-" },
        { title: "", cell: ({ problem }) => problem ?? "", isFlexible: true },
      ],
      { width, heading: dim },
    ),
    "",
    model.datasets.length === 0
      ? "no dataset version arrived yet"
      : table(
          model.datasets.toReversed().slice(0, 10),
          [
            { title: "dataset version", cell: ({ fingerprint }) => fingerprint.slice(0, 16) },
            { title: "arrived", cell: ({ arrivedAt }) => ago(arrivedAt) },
            { title: "gate", cell: ({ isStopped }) => (isStopped ? "stopped" : "") },
            { title: "files", cell: ({ uris }) => uris.join(" "), isFlexible: true },
          ],
          { width, heading: dim },
        ),
  ].join("\n");

/** Adds the verb. */
export const models = (program: Command): void => {
  examples(
    apiCommand(program, "models [model]", "list the models, or show one"),
    "continuo models",
    "continuo models flight-delay --json",
  ).action(async (model: string | undefined, options: unknown) => {
    const { connection, isJson } = apiVerb(options);
    if (model === undefined) {
      const reply = await call(connection, z.object({ models: z.array(modelReply) }), {
        path: "/models",
      });
      print(isJson, reply.models, () => modelsTable(reply.models));
      return;
    }
    const reply = await call(connection, modelDetailReply, {
      path: `/models/${encodeURIComponent(model)}`,
    });
    print(isJson, reply, () => detail(reply));
  });
};
