/** Continuo's own images, as the build that was installed last has pushed them. */
import { z } from "zod";
import { RejectedError } from "../domain/errors.js";
import type { Objects } from "../ports/objects.js";

const bytesMax = 1024 * 1024;

/** Where a build writes them: name in manifests and templates -> image by its digest. */
export const installedImagesUri = (bucket: string): string => `gs://${bucket}/continuo/images.json`;

const fileSchema = z.object({ images: z.record(z.string(), z.string()) });

const readImages = async (
  objects: Pick<Objects, "read">,
  bucket: string,
): Promise<Readonly<Record<string, string>>> => {
  const uri = installedImagesUri(bucket);
  const body = await objects.read(uri, bytesMax);
  if (body === null) return {};
  try {
    return fileSchema.parse(JSON.parse(body.toString("utf8"))).images;
  } catch (error) {
    throw new RejectedError(`${uri} is no list of images. Release Continuo again.`, {
      cause: error,
    });
  }
};

/**
 * Looks images up: one of Continuo's own by its digest, any other as it was written. The file is read at most once. Where
 * no build has written it, as on a laptop, names stay: the local cloud knows them.
 */
export const installedImages = (
  objects: Pick<Objects, "read">,
  bucket: string,
): ((image: string) => Promise<string>) => {
  let read: ReturnType<typeof readImages> | undefined;
  return async (image) =>
    image.startsWith("continuo/")
      ? ((await (read ??= readImages(objects, bucket)))[image] ?? image)
      : image;
};

const containers = z.looseObject({
  deploymentSpec: z.looseObject({
    executors: z.record(
      z.string(),
      z.looseObject({ container: z.looseObject({ image: z.string() }).optional() }),
    ),
  }),
});

/** A compiled pipeline with other images; what is no pipeline stays, for Vertex AI to refuse. */
export const withImages = async <Spec>(
  spec: Spec,
  imageOf: (image: string) => Promise<string>,
): Promise<Spec | z.infer<typeof containers>> => {
  const parsed = containers.safeParse(spec);
  if (!parsed.success) return spec;
  const { deploymentSpec } = parsed.data;
  const executors = await Promise.all(
    Object.entries(deploymentSpec.executors).map(async ([name, executor]) => {
      const { container } = executor;
      if (container === undefined) return [name, executor] as const;
      const image = await imageOf(container.image);
      return [name, { ...executor, container: { ...container, image } }] as const;
    }),
  );
  return {
    ...parsed.data,
    deploymentSpec: { ...deploymentSpec, executors: Object.fromEntries(executors) },
  };
};
