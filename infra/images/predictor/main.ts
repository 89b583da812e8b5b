/** The predictor image: serves predictions, or scores a file with `predictor score ...`. */
import { argv } from "node:process";
import { ImageError, runImage } from "../arguments.js";
import { scoreRows } from "./score-rows.js";
import { serve } from "./serve.js";

await runImage("predictor", async () => {
  const [command, ...rest] = argv.slice(2);
  if (command === undefined || command === "serve") await serve();
  else if (command === "score") await scoreRows(rest);
  else throw new ImageError(`unknown command ${command}: use serve (the default) or score`);
});
