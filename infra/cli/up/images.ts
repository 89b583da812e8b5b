/** The container images as local commands. */
import { join } from "node:path";
import process from "node:process";
import { buildImages } from "../../images/build.js";
import { filesIn, writeWhole } from "./folder.js";

/** Bundles the images and writes the map from image name to local command that the local cloud reads. */
export const writeImages = async (buildFolder: string, folder: string): Promise<void> => {
  const paths = await buildImages(join(buildFolder, "images"));
  const images = Object.fromEntries(
    Object.entries(paths).map(([name, path]) => [
      `continuo/${name}`,
      { entrypoint: [process.execPath, path] },
    ]),
  );
  writeWhole(folder, filesIn(folder).images, JSON.stringify({ images }, null, 2));
};
