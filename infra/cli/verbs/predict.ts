/** `continuo predict`: asks a model's endpoint. */
import type { Command } from "commander";
import { z } from "zod";
import { call } from "../client.js";
import { apiCommand, apiVerb, examples, print, readJson } from "../command.js";
import { failed, usage } from "../errors.js";
import { number } from "../format.js";

const answer = z.looseObject({
  endpoint: z.string(),
  status: z.number(),
  latencyMs: z.number(),
  body: z.unknown(),
});

const instances = z.union([
  z.object({ instances: z.array(z.unknown()) }).transform((value) => value.instances),
  z.array(z.unknown()),
  z.record(z.string(), z.unknown()).transform((value) => [value]),
]);

/** Adds the verb. */
export const predict = (program: Command): void => {
  examples(
    apiCommand(program, "predict <model>", "ask the model's production endpoint for predictions")
      .option("-d, --data <json>", "one instance, a list of instances, or {instances: [...]}")
      .option("-f, --file <file>", "read them from a file; without both, from standard input")
      .option("-e, --environment <name>", "another environment than production"),
    `continuo predict flight-delay -d '{"distance": 650, "origin": "ATL"}'`,
  ).action(
    async (model: string, options: { data?: string; file?: string; environment?: string }) => {
      const parsed = instances.safeParse(readJson(options));
      if (!parsed.success) throw usage("give one instance, a list of them, or {instances: [...]}");
      const { connection, isJson } = apiVerb(options);
      const reply = await call(connection, answer, {
        method: "POST",
        path: `/models/${encodeURIComponent(model)}/predict`,
        body: {
          instances: parsed.data,
          ...(options.environment === undefined ? {} : { environment: options.environment }),
        },
      });
      print(
        isJson,
        reply,
        () =>
          `${JSON.stringify(reply.body, null, 2)}\n${reply.endpoint} answered ${reply.status} in ${number(reply.latencyMs)} ms`,
      );
      if (reply.status !== 200) throw failed(`${reply.endpoint} answered ${reply.status}`);
    },
  );
};
