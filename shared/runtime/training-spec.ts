/** Continuo's own pipeline template, fitted to one manifest. */
import { z } from "zod";
import { RejectedError } from "../domain/errors.js";
import { machineResources, type Resources } from "../domain/machine.js";
import type { Manifest } from "../manifest/schema.js";
import type { Objects } from "../ports/objects.js";
import { config } from "./wiring.js";

const templateBytesMax = 1024 * 1024;

/** The part of a PipelineSpec that a manifest changes. */
const templateSchema = z.looseObject({
  deploymentSpec: z.looseObject({
    executors: z.record(
      z.string(),
      z.looseObject({ container: z.looseObject({ image: z.string() }) }),
    ),
  }),
});

/** Where the template lies; provisioning puts it there. */
export const templateUri = (bucket: string): string =>
  `gs://${bucket}/continuo/pipelines/train.json`;

const resourcesOf = (machine: Manifest["training"]["machine"]): Resources => {
  try {
    return machineResources(machine.type, machine.accelerator);
  } catch (error) {
    throw new RejectedError(error instanceof Error ? error.message : String(error), {
      cause: error,
    });
  }
};

const jsonOf = (uri: string, body: Buffer): unknown => {
  try {
    return JSON.parse(body.toString("utf8"));
  } catch (error) {
    throw new RejectedError(`${uri} is not JSON: provision this project again`, { cause: error });
  }
};

/** Reads the template and sets the training image and machine; throws RejectedError when it is missing or broken. */
export const trainingSpec = async (manifest: Manifest, objects: Objects): Promise<unknown> => {
  const uri = templateUri(config().bucket);
  const body = await objects.read(uri, templateBytesMax);
  if (body === null) {
    throw new RejectedError(
      `the pipeline template ${uri} is missing: provision this project again`,
    );
  }
  const parsed = templateSchema.safeParse(jsonOf(uri, body));
  if (!parsed.success)
    throw new RejectedError(`${uri} is not a pipeline template: ${parsed.error.message}`);
  const { executors } = parsed.data.deploymentSpec;
  const train = executors["exec-train"];
  if (train === undefined) throw new RejectedError(`${uri} has no executor exec-train`);
  const { machine, image } = manifest.training;
  const resources = resourcesOf(machine);
  const container = { ...train.container, image, resources };
  return {
    ...parsed.data,
    deploymentSpec: {
      ...parsed.data.deploymentSpec,
      executors: { ...executors, "exec-train": { ...train, container } },
    },
  };
};
