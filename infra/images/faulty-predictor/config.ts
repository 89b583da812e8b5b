/** The faults that the environment orders. */
import { env } from "node:process";
import { z } from "zod";
import type { Faults } from "./faults.js";

const environment = z.object({
  FAULT_AFTER_REQUESTS: z.coerce.number().int().min(0).default(0),
  FAULT_DELAY_MS: z.coerce.number().min(0).max(600_000).default(0),
  FAULT_ERROR_RATE: z.coerce.number().min(0).max(1).default(0),
  FAULT_SEED: z.coerce.number().int().min(0).default(1),
});

/** Reads the faults; call it once per process. */
export function faultsConfig(): Faults {
  const values = environment.parse(env);
  return {
    afterRequests: values.FAULT_AFTER_REQUESTS,
    delayMs: values.FAULT_DELAY_MS,
    errorRate: values.FAULT_ERROR_RATE,
    seed: values.FAULT_SEED,
  };
}
