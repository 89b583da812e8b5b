/** `continuo rollouts`: the rollouts, or one of them. */
import type { Command } from "commander";
import { z } from "zod";
import { call } from "../client.js";
import { apiCommand, apiVerb, examples, print, query, width } from "../command.js";
import { ago, bold, clockTime, colored, dim, duration, numbers } from "../format.js";
import { rolloutReply } from "../replies.js";
import { table, wrap } from "../table.js";

type Rollout = z.infer<typeof rolloutReply>;

/** Rollouts as a table. */
const rolloutsTable = (rollouts: readonly Rollout[]): string =>
  rollouts.length === 0
    ? "no rollouts yet; a registered model version starts one"
    : table(
        rollouts,
        [
          { title: "rollout", cell: ({ rollout }) => rollout },
          { title: "version", cell: ({ versionId }) => `v${versionId}` },
          { title: "state", cell: ({ outcome, phase }) => outcome ?? phase },
          {
            title: "weight",
            cell: ({ weight, history }) => {
              const last = weight ?? history.at(-1)?.weight;
              return last === undefined ? "-" : `${last} %`;
            },
            align: "right",
          },
          { title: "started", cell: ({ startedAt }) => ago(startedAt) },
          {
            title: "took",
            cell: ({ startedAt, endedAt }) =>
              endedAt === null ? "-" : duration(Date.parse(endedAt) - Date.parse(startedAt)),
          },
          {
            title: "why",
            cell: ({ reasons, waitsFor, lastVerdict }) =>
              reasons[0] ?? waitsFor ?? lastVerdict?.reasons[0] ?? "",
            isFlexible: true,
          },
        ],
        { width, heading: dim },
      );

const detail = (rollout: Rollout): string =>
  [
    `${bold(rollout.rollout)}  ${colored(rollout.outcome ?? rollout.phase)}  version ${rollout.versionId} of ${rollout.model}, started ${ago(rollout.startedAt)}`,
    ...(rollout.run === null ? [] : [`run         ${rollout.run}`]),
    ...(rollout.steps === null ? [] : [`steps       ${rollout.steps.join(" -> ")} %`]),
    ...(rollout.weight === null ? [] : [`weight      ${rollout.weight} %`]),
    ...(rollout.waitsFor === null ? [] : [wrap(`waits for   ${rollout.waitsFor}`, width, 12)]),
    ...(rollout.finds === null ? [] : [wrap(`expected    ${rollout.finds}`, width, 12)]),
    ...(rollout.byHand === null ? [] : [`by hand     ${rollout.byHand}`]),
    ...rollout.reasons.map((reason) => wrap(`because     ${reason}`, width, 12)),
    ...(rollout.lastVerdict === null
      ? []
      : [
          wrap(
            `verdict     ${rollout.lastVerdict.result}: ${rollout.lastVerdict.reasons.join("; ")}`,
            width,
            12,
          ),
          wrap(`numbers     ${numbers(rollout.lastVerdict.numbers)}`, width, 12),
        ]),
    ...(rollout.history.length === 0
      ? []
      : [
          "",
          table(
            rollout.history,
            [
              { title: "at", cell: ({ at }) => clockTime(at) },
              { title: "weight", cell: ({ weight }) => `${weight} %`, align: "right" },
              { title: "verdict", cell: ({ verdict }) => verdict.result },
              { title: "why", cell: ({ verdict }) => verdict.reasons.join("; "), isFlexible: true },
            ],
            { width, heading: dim },
          ),
        ]),
    dim(`"continuo why ${rollout.rollout}" tells the whole story`),
  ].join("\n");

/** Adds the verb. */
export const rollouts = (program: Command): void => {
  examples(
    apiCommand(program, "rollouts [rollout]", "list rollouts, or show one")
      .option("-m, --model <model>", "only of this model")
      .option("-n, --limit <count>", "at most so many", "20"),
    "continuo rollouts",
    "continuo rollouts flight-delay-o0a1b2c3d4e",
  ).action(async (rollout: string | undefined, options: { model?: string; limit: string }) => {
    const { connection, isJson } = apiVerb(options);
    if (rollout === undefined) {
      const path = `/rollouts${query({ model: options.model, limit: options.limit })}`;
      const reply = await call(connection, z.object({ rollouts: z.array(rolloutReply) }), { path });
      print(isJson, reply.rollouts, () => rolloutsTable(reply.rollouts));
      return;
    }
    const path = `/rollouts/${encodeURIComponent(rollout)}`;
    const reply = await call(connection, rolloutReply, { path });
    print(isJson, reply, () => detail(reply));
  });
};
