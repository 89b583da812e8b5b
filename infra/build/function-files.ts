/** What lies beside a function's bundle. */

/** The base image, the same as that of the jobs and of the steps of a build. */
export const baseImage = "node:22.23.3-slim";

/** Tells people what the folder is. */
export const packageJson = (name: string): string =>
  `${JSON.stringify({ name, private: true, main: "index.cjs", scripts: { start: "node main.cjs" } }, null, 2)}\n`;

/** The module that the framework is told to load. */
export const functionSource =
  "// The function lies in function.cjs beside the framework, and is registered before the framework looks here.\n";

/** The list of the packages in the bundle; scanners of images know it by its ending. */
export const sbomFile = "sbom.cdx.json";

/** Carries one function with functions-framework; nothing is installed, and its code cache made, while the image is built. */
export const dockerfile = (name: string): string => `ARG BASE=${baseImage}
FROM \${BASE}
WORKDIR /app
COPY *.cjs *.map package.json ${sbomFile} ./
ENV NODE_ENV=production FUNCTION_TARGET=${name} FUNCTION_SOURCE=index.cjs
RUN ["node", "rehearse.cjs"]
USER node
EXPOSE 8080
CMD ["node", "main.cjs"]
`;

/** CommonJS packages inside ES modules still ask for these. */
export const commonJsBanner =
  'import{createRequire as __createRequire}from"node:module";' +
  'import{dirname as __pathOf}from"node:path";' +
  'import{fileURLToPath as __fileOf}from"node:url";' +
  "const require=__createRequire(import.meta.url),__filename=__fileOf(import.meta.url),__dirname=__pathOf(__filename);";
