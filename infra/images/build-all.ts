/** Bundles all images from the command line: `tsx infra/images/build-all.ts [directory]`; for containers, therefore portable. */
import { argv } from "node:process";
import { buildImages } from "./build.js";

const paths = await buildImages(argv[2], { isPortable: true });
for (const [name, path] of Object.entries(paths)) console.log(`${name} ${path}`);
