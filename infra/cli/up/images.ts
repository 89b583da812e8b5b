/** The container images as local commands. */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { z } from "zod";
import { buildImages } from "../../images/build.js";
import { filesIn, writeWhole } from "./folder.js";

const imagesFile = z.object({ images: z.record(z.string(), z.unknown()) });

/** The list as the local cloud has it; empty before the first start. */
export const readImages = (folder: string): Readonly<Record<string, unknown>> => {
  const file = filesIn(folder).images;
  if (!existsSync(file)) return {};
  return imagesFile.parse(JSON.parse(readFileSync(file, "utf8"))).images;
};

/** Adds images to the list, which the local cloud reads anew each time. */
export const allowImages = (
  folder: string,
  more: Readonly<Record<string, { readonly entrypoint: readonly string[] }>>,
): void => {
  const images = { ...readImages(folder), ...more };
  writeWhole(folder, filesIn(folder).images, JSON.stringify({ images }, null, 2));
};

/** Bundles our images and lists them; images of the user's own that were listed earlier stay. */
export const writeImages = async (buildFolder: string, folder: string): Promise<void> => {
  const paths = await buildImages(join(buildFolder, "images"));
  allowImages(
    folder,
    Object.fromEntries(
      Object.entries(paths).map(([name, path]) => [
        `continuo/${name}`,
        { entrypoint: [process.execPath, path] },
      ]),
    ),
  );
};
