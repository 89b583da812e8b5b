/** Cloud Build's own topic, https://cloud.google.com/build/docs/subscribe-build-notifications */
import { z } from "zod";
import { pipelineReleased } from "../pipeline.js";
import { problemText, type Message, type Reading } from "./message.js";

const build = z.looseObject({
  id: z.string().min(1),
  status: z.string(),
  finishTime: z.string().optional(),
  tags: z.array(z.string()).default([]),
  substitutions: z.record(z.string(), z.string()).default({}),
  results: z
    .looseObject({
      images: z
        .array(z.looseObject({ name: z.string(), digest: z.string().optional() }))
        .default([]),
    })
    .optional(),
});

/** A build tagged `continuo-model-<name>` succeeded: new pipeline code for that model. Other builds mean nothing. */
export const cloudBuild = (message: Message): Reading => {
  if (!("buildId" in message.attributes)) return null;
  const parsed = build.safeParse(message.body);
  if (!parsed.success) return { problem: problemText(parsed.error) };
  const { id, status, finishTime, tags, substitutions, results } = parsed.data;
  const model = tags
    .find((tag) => tag.startsWith("continuo-model-"))
    ?.slice("continuo-model-".length);
  if (status !== "SUCCESS" || model === undefined) return { events: [] };
  const template = substitutions["_TEMPLATE_URI"];
  const event = pipelineReleased.safeParse({
    specversion: "1.0",
    type: "pipeline.released",
    id: `${id}/${status}`,
    source: "//cloudbuild.googleapis.com",
    time: finishTime ?? message.publishTime,
    data: {
      model,
      digest: substitutions["_TEMPLATE_DIGEST"] ?? results?.images[0]?.digest ?? id,
      build: id,
      ...(template === undefined ? {} : { template }),
    },
  });
  return event.success ? { events: [event.data] } : { problem: problemText(event.error) };
};
