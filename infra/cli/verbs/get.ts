/** `continuo get` and `continuo delete`: an applied manifest. */
import type { Command } from "commander";
import { stringify } from "yaml";
import { z } from "zod";
import { call } from "../client.js";
import { apiCommand, apiVerb, examples, print, query } from "../command.js";
import { outcomeReply } from "../replies.js";
import { outcomeText } from "./operate.js";

const applied = z.object({
  model: z.string(),
  version: z.number(),
  digest: z.string(),
  manifest: z.record(z.string(), z.unknown()),
});

/** Adds the verbs. */
export const get = (program: Command): void => {
  examples(
    apiCommand(program, "get <model>", "print the applied manifest with its defaults"),
    "continuo get flight-delay > model.yaml",
  ).action(async (model: string, options: unknown) => {
    const { connection, isJson } = apiVerb(options);
    const path = `/manifests/${encodeURIComponent(model)}`;
    const reply = await call(connection, applied, { path });
    print(isJson, reply, () =>
      `# version ${reply.version}, ${reply.digest}\n${stringify(reply.manifest)}`.trimEnd(),
    );
  });
  examples(
    apiCommand(
      program,
      "delete <model>",
      "forget a model: no event reaches it any more; what is deployed stays",
    ).option("-r, --reason <text>", "why, for the journal"),
    "continuo delete flight-delay --reason 'replaced by flight-delay-2'",
  ).action(async (model: string, options: { reason?: string }) => {
    const { connection, isJson } = apiVerb(options);
    const path = `/models/${encodeURIComponent(model)}${query({ reason: options.reason })}`;
    const reply = await call(connection, outcomeReply, { method: "DELETE", path });
    print(isJson, reply, () => outcomeText(reply));
  });
};
