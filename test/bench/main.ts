/** `npm run bench -- <name>`: measurements, printed and never asserted. Run them on an otherwise idle machine. */
const benches: Readonly<Record<string, (parts: readonly string[]) => Promise<void>>> = {
  loop: async () => (await import("./loop.js")).benchLoop(),
  "cold-start": async () => (await import("./cold-start.js")).benchColdStart(),
  events: async (parts) => (await import("./events.js")).benchEvents(parts),
  "local-cloud": async (parts) => (await import("./local-cloud.js")).benchLocalCloud(parts),
  statistics: async (parts) => (await import("./statistics.js")).benchStatistics(parts),
};

const [name = "", ...parts] = process.argv.slice(2);
const bench = benches[name];
if (bench === undefined) {
  console.error(`usage: npm run bench -- <name>, with one of: ${Object.keys(benches).join(", ")}`);
  process.exit(2);
}
await bench(parts);
