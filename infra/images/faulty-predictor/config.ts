/** The faults that the environment orders. */
import { env } from "node:process";
import { z } from "zod";
import type { Faults } from "./faults.js";

const delayMs = z.coerce.number().min(0).max(600_000).default(0);
const share = z.coerce.number().min(0).max(1).default(0);
const whole = z.coerce.number().int().min(0);

const environment = z.object({
  FAULT_AFTER_REQUESTS: whole.default(0),
  FAULT_ABOVE_PER_SECOND: whole.default(0),
  FAULT_DELAY_MS: delayMs,
  FAULT_ERROR_RATE: share,
  FAULT_LEAK_BYTES: whole.default(0),
  FAULT_LEAK_BYTES_MAX: whole.default(1_000_000_000),
  FAULT_SEED: whole.default(1),
  USUAL_DELAY_MS: delayMs,
  USUAL_ERROR_RATE: share,
});

/** Reads the faults; call it once per process. */
export function faultsConfig(): Faults {
  const values = environment.parse(env);
  return {
    afterRequests: values.FAULT_AFTER_REQUESTS,
    abovePerSecond: values.FAULT_ABOVE_PER_SECOND,
    delayMs: values.FAULT_DELAY_MS,
    errorRate: values.FAULT_ERROR_RATE,
    leakBytes: values.FAULT_LEAK_BYTES,
    leakBytesMax: values.FAULT_LEAK_BYTES_MAX,
    usual: { delayMs: values.USUAL_DELAY_MS, errorRate: values.USUAL_ERROR_RATE },
    seed: values.FAULT_SEED,
  };
}
