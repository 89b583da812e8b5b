/** `continuo open`: the console in a browser. */
import { spawn } from "node:child_process";
import process from "node:process";
import type { Command } from "commander";
import { settings } from "../config.js";
import { examples } from "../command.js";
import { CommandError, exitCodes } from "../errors.js";
import { readInstance } from "../up/folder.js";

const openers: Readonly<Record<string, string>> = { darwin: "open", win32: "explorer" };

/** Adds the verb. */
export const open = (program: Command): void => {
  examples(
    program
      .command("open")
      .description("print the console's address and open it in a browser")
      .option("--folder <folder>", "state folder", settings.folder)
      .option("--no-browser", "only print it"),
    "continuo open",
  ).action((options: { folder: string; browser: boolean }) => {
    const instance = readInstance(options.folder);
    if (instance === null) {
      throw new CommandError(
        exitCodes.unreachable,
        `nothing runs on ${options.folder}; start it with "npm start" or "continuo up"`,
      );
    }
    console.log(instance.console);
    if (!options.browser) return;
    const child = spawn(openers[process.platform] ?? "xdg-open", [instance.console], {
      stdio: "ignore",
      detached: true,
    });
    // Without a browser the printed address is enough.
    child.once("error", () => undefined);
    child.unref();
  });
};
