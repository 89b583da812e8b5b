/** `npm run bench -- <name>`: measurements, printed and never asserted. Run them on an otherwise idle machine. */
import { benchLoop } from "./loop.js";

const benches: Readonly<Record<string, () => Promise<void>>> = { loop: benchLoop };

const [name = ""] = process.argv.slice(2);
const bench = benches[name];
if (bench === undefined) {
  console.error(`usage: npm run bench -- <name>, with one of: ${Object.keys(benches).join(", ")}`);
  process.exit(2);
}
await bench();
