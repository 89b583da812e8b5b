/** Bundles all images from the command line: `tsx infra/images/build-all.ts [directory]`. */
import { argv } from "node:process";
import { buildImages } from "./build.js";

const paths = await buildImages(argv[2]);
for (const [name, path] of Object.entries(paths)) console.log(`${name} ${path}`);
