/** Act 7: a malformed message ends in the dead-letter list, with its reason. */
import { z } from "zod";
import type { Act } from "../play.js";
import { until } from "../world.js";

const letters = z.object({
  deadLetters: z.array(z.object({ function: z.string(), reason: z.string() })),
});

/** Act 7. */
export const malformed: Act = {
  number: 7,
  title: "A malformed message becomes a dead letter with its reason",
  play: async ({ world }) => {
    await world.publish("dataset", {
      specversion: "1.0",
      type: "dataset.arrived",
      id: "x",
      dataset: "flights",
    });
    const letter = await until(
      "the dead letter",
      async () => {
        const { deadLetters } = letters.parse(await world.read("/dead-letters"));
        return deadLetters.find(({ function: name }) => name === "on-dataset-arrived") ?? null;
      },
      { seconds: 30, signal: world.options.signal },
    );
    return {
      isAsExpected: letter.reason.includes("source"),
      lines: [`${letter.function}: ${letter.reason.slice(0, 250)}`],
    };
  },
};
