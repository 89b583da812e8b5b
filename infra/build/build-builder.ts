/** The builder image's folder: one file of code and a Dockerfile. */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { build } from "esbuild";
import { baseImage, commonJsBanner, sbomFile } from "./function-files.js";
import { bundleSbom } from "./sbom.js";

const dockerfile = `FROM ${baseImage}
COPY main.mjs ${sbomFile} /app/
ENTRYPOINT ["node", "/app/main.mjs"]
`;

/** Writes it. */
export const buildBuilder = async (root: string, folder: string): Promise<void> => {
  mkdirSync(folder, { recursive: true });
  const { metafile } = await build({
    absWorkingDir: root,
    entryPoints: ["infra/build/builder.ts"],
    outfile: join(folder, "main.mjs"),
    bundle: true,
    minifyWhitespace: true,
    platform: "node",
    format: "esm",
    target: "node20",
    banner: { js: commonJsBanner },
    legalComments: "none",
    metafile: true,
    logLevel: "silent",
  });
  writeFileSync(join(folder, sbomFile), bundleSbom(root, "builder", metafile));
  writeFileSync(join(folder, "Dockerfile"), dockerfile);
};
