/** Where the launcher finds Vertex AI, and how often it looks. */
import { env } from "node:process";
import { z } from "zod";

const environment = z.object({
  /** Base address of Vertex AI, for example http://127.0.0.1:8085; absent on Google Cloud. */
  VERTEX_API_ENDPOINT: z.url().optional(),
  LAUNCHER_POLL_MS: z.coerce.number().int().min(10).max(600_000).default(10_000),
});

/** Settings of the launcher. */
export interface LauncherConfig {
  readonly endpoint: string | undefined;
  readonly pollMs: number;
}

/** Reads the settings; call it once per process. */
export function launcherConfig(): LauncherConfig {
  const values = environment.parse(env);
  return { endpoint: values.VERTEX_API_ENDPOINT, pollMs: values.LAUNCHER_POLL_MS };
}
