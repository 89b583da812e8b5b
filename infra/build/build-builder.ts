/** The builder image's folder: one file of code and a Dockerfile. */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { build } from "esbuild";
import { baseImage, commonJsBanner } from "./function-files.js";

const dockerfile = `FROM ${baseImage}
COPY main.mjs /app/main.mjs
ENTRYPOINT ["node", "/app/main.mjs"]
`;

/** Writes it. */
export const buildBuilder = async (root: string, folder: string): Promise<void> => {
  mkdirSync(folder, { recursive: true });
  await build({
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
    logLevel: "silent",
  });
  writeFileSync(join(folder, "Dockerfile"), dockerfile);
};
