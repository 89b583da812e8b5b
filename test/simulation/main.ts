/** `npm run simulate -- --seeds 1000` plays seeds; `--seed N --trace` replays one, byte for byte; `--help` tells the rest. */
import { simulate } from "./simulate.js";

// Who reads only the first lines, with `head`, has seen enough.
process.stdout.on("error", () => process.exit());

process.exitCode = await simulate(process.argv.slice(2), {
  line: (text) => console.log(text),
  progress: (text) => console.error(text),
});
