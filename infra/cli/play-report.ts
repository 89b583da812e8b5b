/** What the command and the demo's process say to each other. */
import { z } from "zod";

/** What each act came to. */
export const actResults = z
  .array(
    z.object({
      act: z.number(),
      title: z.string(),
      isAsExpected: z.boolean(),
      lines: z.array(z.string()).readonly(),
      seconds: z.number(),
    }),
  )
  .readonly();

/** What is to be played, and where. */
export const playOptions = z.object({
  cloud: z.string(),
  api: z.string(),
  token: z.string(),
  projectId: z.string(),
  region: z.string(),
  bucket: z.string(),
  folder: z.string(),
  requestsPerSecond: z.number(),
  acts: z.array(z.number()).readonly(),
  monthsMax: z.number(),
  sampleShare: z.number(),
  waitSecondsMax: z.number(),
});

/** One line from the demo's process. */
export const playReport = z.discriminatedUnion("kind", [
  z.object({ kind: z.literal("said"), text: z.string() }),
  z.object({ kind: z.literal("played"), results: actResults }),
  z.object({ kind: z.literal("failed"), message: z.string() }),
]);

export type ActResults = z.infer<typeof actResults>;
export type PlayOptions = z.infer<typeof playOptions>;
export type PlayReport = z.infer<typeof playReport>;
