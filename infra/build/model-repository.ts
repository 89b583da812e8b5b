/** A repository of one model: what `continuo init` writes, and what a build of it makes. */
import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { catalogue, type EventOf } from "../../events/index.js";
import { parseManifests, problemText } from "../../shared/manifest/parse.js";
import type { Objects } from "../../shared/ports/objects.js";
import type { Bus } from "../../shared/ports/bus.js";

const component = z.strictObject({
  name: z.string().regex(/^[a-z][a-z0-9-]*$/),
  /** How the pipeline calls its image. */
  image: z.string().min(1),
  /** Folder of its Dockerfile. */
  context: z.string().min(1),
  /** The command that stands for the image on this machine; a word that names a file here is that file. */
  local: z.array(z.string()).min(1),
});

/** One step's code, carried by an image. */
export type ComponentSpec = Readonly<z.infer<typeof component>>;

/** What a build reads of a compiled pipeline. */
export const templateSchema = z.looseObject({
  pipelineInfo: z.looseObject({ name: z.string() }),
  schemaVersion: z.string(),
  root: z.looseObject({ dag: z.looseObject({}) }),
  components: z.record(z.string(), z.looseObject({})),
  deploymentSpec: z.looseObject({
    executors: z.record(
      z.string(),
      z.looseObject({ container: z.looseObject({ image: z.string().min(1) }).optional() }),
    ),
  }),
});

/** A compiled pipeline, as far as a build looks into it. */
export type Template = z.infer<typeof templateSchema>;

/** A repository that can be built. */
export interface ModelRepository {
  readonly model: string;
  /** Where the compiled pipeline goes; the manifest says it. */
  readonly templateUri: string;
  readonly template: Template;
  readonly components: readonly ComponentSpec[];
}

/** A repository, or all that is wrong with it. */
export type ReadRepository =
  | { readonly ok: true; readonly repository: ModelRepository }
  | { readonly ok: false; readonly problems: readonly string[] };

/** A file's content, or what is wrong with it. */
type Found<Value> = { readonly value: Value } | { readonly problem: string };

const readJson = <Value>(folder: string, file: string, schema: z.ZodType<Value>): Found<Value> => {
  try {
    const parsed = schema.safeParse(JSON.parse(readFileSync(join(folder, file), "utf8")));
    if (parsed.success) return { value: parsed.data };
    return { problem: `${file}: ${z.prettifyError(parsed.error)}` };
  } catch (error) {
    return { problem: `${file}: ${error instanceof Error ? error.message : String(error)}` };
  }
};

const readManifest = (folder: string): Found<{ readonly model: string; readonly uri: string }> => {
  const file = join(folder, "model.yaml");
  if (!existsSync(file)) return { problem: "model.yaml: there is no such file" };
  const [parsed, ...more] = parseManifests(readFileSync(file, "utf8"));
  if (parsed === undefined || more.length > 0) {
    return { problem: "model.yaml: it must hold one manifest" };
  }
  if (!parsed.ok) {
    return { problem: parsed.problems.map((one) => problemText("model.yaml", one)).join("\n") };
  }
  const { name, training } = parsed.manifest;
  return training.template === undefined
    ? { problem: "model.yaml: training.template must say where the compiled pipeline goes" }
    : { value: { model: name, uri: training.template } };
};

const componentProblems = (
  folder: string,
  { deploymentSpec }: Template,
  components: readonly ComponentSpec[],
): readonly string[] => {
  const used = Object.values(deploymentSpec.executors).map(({ container }) => container?.image);
  return components.flatMap(({ name, image, context }) => [
    ...(used.includes(image)
      ? []
      : [`components/${name}.json: pipeline/train.json has no step with the image ${image}`]),
    ...(existsSync(join(folder, context, "Dockerfile"))
      ? []
      : [`components/${name}.json: ${context}/Dockerfile is not there`]),
  ]);
};

/** Reads a repository; every problem names its file. */
export const readRepository = (folder: string): ReadRepository => {
  const manifest = readManifest(folder);
  const compiled = readJson(folder, "pipeline/train.json", templateSchema);
  const files = existsSync(join(folder, "components"))
    ? readdirSync(join(folder, "components")).filter((name) => name.endsWith(".json"))
    : [];
  const specs = files.toSorted().map((name) => readJson(folder, `components/${name}`, component));
  const problems = [manifest, compiled, ...specs].flatMap((found) =>
    "problem" in found ? [found.problem] : [],
  );
  if ("problem" in manifest || "problem" in compiled || problems.length > 0) {
    return { ok: false, problems };
  }
  const components = specs.flatMap((found) => ("value" in found ? [found.value] : []));
  const mismatches = componentProblems(folder, compiled.value, components);
  if (mismatches.length > 0) return { ok: false, problems: mismatches };
  const { model, uri } = manifest.value;
  return {
    ok: true,
    repository: { model, templateUri: uri, template: compiled.value, components },
  };
};

/** What a release needs of the cloud. */
export interface ReleasePorts {
  readonly objects: Pick<Objects, "write">;
  readonly bus: Pick<Bus, "publish">;
}

/** Uploads the compiled pipeline, also under its digest, and tells everybody that it was released. */
export const releasePipeline = async (
  ports: ReleasePorts,
  { model, templateUri }: Pick<ModelRepository, "model" | "templateUri">,
  pipeline: unknown,
  { build, time }: { readonly build: string; readonly time: string },
): Promise<EventOf<"pipeline.released">> => {
  const body = Buffer.from(`${JSON.stringify(pipeline, null, 2)}\n`);
  const digest = createHash("sha256").update(body).digest("hex");
  const kept = templateUri.replace(/(?:\.json)?$/, `-${digest.slice(0, 16)}.json`);
  await ports.objects.write(kept, body, "application/json");
  await ports.objects.write(templateUri, body, "application/json");
  const { topic, schema } = catalogue["pipeline.released"];
  const event = schema.parse({
    specversion: "1.0",
    type: "pipeline.released",
    id: `${build}/${model}`,
    source: "continuo/build",
    time,
    subject: model,
    data: { model, template: kept, digest: `sha256:${digest}`, build },
  });
  await ports.bus.publish(topic, {
    data: Buffer.from(JSON.stringify(event)),
    attributes: { type: event.type, model, "content-type": "application/cloudevents+json" },
  });
  return event;
};
