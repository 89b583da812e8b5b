/** Nothing happens by itself: without one of the functions its act fails, and says where it got stuck. */
import { describe, expect, it } from "vitest";
import { newFolder, play, removeFolder } from "./instance.js";

/** The limits leave room for what must still happen before the missing function is missed. */
const withoutFunctions = [
  {
    name: "on-dataset-arrived",
    limit: 8,
    got: "the end of January's run did not happen within 8 s: no such run of flights-late began",
  },
  {
    name: "on-evaluation-completed",
    limit: 20,
    got: "the end of January's run did not happen within 20 s: it is judging",
  },
  {
    name: "tick",
    limit: 20,
    got: "the end of flights-late's rollout did not happen within 20 s: it is smoke-testing",
  },
];

describe.concurrent("act 1 without one of the functions", () => {
  it.each(withoutFunctions)("fails without $name, and says where", async ({ name, limit, got }) => {
    const folder = newFolder();
    const flags = `--exit --fresh --acts 1 --sample 0.02 --limit ${limit} --without ${name}`;
    const demo = play(folder, "demo", ...flags.split(" "));
    try {
      const code = await demo.ended;
      expect(demo.output()).toMatch(/^ +1 {2}FAILED /m);
      expect(demo.output().replaceAll(/\s+/g, " ")).toContain(`act 1 ${got}`);
      expect(code).toBe(1);
    } finally {
      await demo.stop();
      removeFolder(folder);
    }
  });
});
