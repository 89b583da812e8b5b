/** Writes train.json from train.ts (format it afterwards); a test fails when the two differ. */
import { writeFileSync } from "node:fs";
import { defaultImages, trainingPipeline } from "./train.js";

const spec = trainingPipeline({ images: defaultImages });
writeFileSync(new URL("train.json", import.meta.url), `${JSON.stringify(spec, null, 2)}\n`);
