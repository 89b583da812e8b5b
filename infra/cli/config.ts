/** The command's surroundings: read once. */
import { userInfo } from "node:os";
import { dirname, join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";

/** The checkout that this command belongs to. */
export const root = join(dirname(fileURLToPath(import.meta.url)), "..", "..");

const { env } = process;

/** Variables that the command understands. */
export const settings = {
  folder: env["CONTINUO_FOLDER"] ?? join(root, ".continuo"),
  address: env["CONTINUO_ADDRESS"],
  token: env["CONTINUO_TOKEN"],
  hasColors: process.stdout.isTTY && (env["NO_COLOR"] ?? "") === "" && env["TERM"] !== "dumb",
  columns: Math.max(60, Math.min(process.stdout.columns ?? 100, 100)),
} as const;

/** The environment of the demo's process: with a local cloud nobody asks the network for Google's credentials. */
export const demoEnvironment = { ...env, METADATA_SERVER_DETECTION: "none" } as const;

/** The person at the keyboard, for the journal. */
export const userName = (): string => {
  try {
    return userInfo().username;
  } catch {
    return "operator";
  }
};
