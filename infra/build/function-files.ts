/** What lies beside a function's bundle. */

/** The base image, the same as that of the jobs and of the steps of a build. */
export const baseImage = "node:22.23.3-slim";

/** Tells Node that the folder holds ES modules, and people what it is. */
export const packageJson = (name: string): string =>
  `${JSON.stringify({ name, private: true, type: "module", main: "index.mjs", scripts: { start: "node main.mjs" } }, null, 2)}\n`;

/** Carries one function with functions-framework; nothing is installed while the image is built. */
export const dockerfile = (name: string): string => `ARG BASE=${baseImage}
FROM \${BASE}
WORKDIR /app
COPY *.mjs *.map package.json ./
ENV NODE_ENV=production FUNCTION_TARGET=${name} FUNCTION_SOURCE=index.mjs
USER node
EXPOSE 8080
CMD ["node", "main.mjs"]
`;

/** CommonJS packages inside ES modules still ask for these. */
export const commonJsBanner =
  'import{createRequire as __createRequire}from"node:module";' +
  'import{dirname as __pathOf}from"node:path";' +
  'import{fileURLToPath as __fileOf}from"node:url";' +
  "const require=__createRequire(import.meta.url),__filename=__fileOf(import.meta.url),__dirname=__pathOf(__filename);";
