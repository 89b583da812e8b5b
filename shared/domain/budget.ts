/** What a run may cost, before it starts. */
import type { Manifest } from "../manifest/schema.js";
import type { ModelState } from "./state.js";

/**
 * List prices in US dollars per hour, us-central1, on demand; inputs, not truths: see infra/docs for their source
 * and date. A machine that is missing here cannot be reserved for, so its run is refused.
 */
const machineUsdPerHour: Readonly<Record<string, number>> = {
  "n1-standard-2": 0.1095,
  "n1-standard-4": 0.2185,
  "n1-standard-8": 0.437,
  "n1-standard-16": 0.874,
  "n1-highmem-8": 0.5443,
  "e2-standard-4": 0.1541,
  "e2-standard-8": 0.3083,
  "g2-standard-4": 0.8129,
  "g2-standard-8": 0.9818,
  "a2-highgpu-1g": 4.2245,
  "a3-highgpu-8g": 101.0074,
};

const acceleratorUsdPerHour: Readonly<Record<string, number>> = {
  NVIDIA_TESLA_T4: 0.4025,
  NVIDIA_TESLA_P100: 1.679,
  NVIDIA_TESLA_V100: 2.852,
  NVIDIA_L4: 0,
  NVIDIA_TESLA_A100: 0,
  NVIDIA_H100_80GB: 0,
};

/** Vertex AI's fee per pipeline run, US dollars. */
const pipelineRunUsd = 0.03;

/** US dollars per hour of a machine; null when a price is unknown. */
export const usdPerHour = (
  machine: Pick<Manifest["training"]["machine"], "type" | "accelerator">,
): number | null => {
  const base = machineUsdPerHour[machine.type];
  if (base === undefined) return null;
  if (machine.accelerator === undefined) return base;
  const each = acceleratorUsdPerHour[machine.accelerator.type];
  return each === undefined ? null : base + each * machine.accelerator.count;
};

/** The month of an instant, for example `2026-11`. */
const monthOf = (nowMs: number): string => new Date(nowMs).toISOString().slice(0, 7);

/** The budget with its month rolled over; a clock that is behind does not bring the last month back. */
export const currentBudget = (state: ModelState, nowMs: number): ModelState["budget"] => {
  const month = monthOf(nowMs);
  return state.budget.month >= month
    ? state.budget
    : { month, spentUsd: 0, reservedUsd: state.budget.reservedUsd };
};

/** The most a run can cost (machine x timeout), or why it may not start. */
export const reserve = (
  state: ModelState,
  nowMs: number,
): { readonly usd: number } | { readonly refusal: string } => {
  const { manifest } = state;
  const { machine, timeoutSeconds } = manifest.training;
  const hourly = usdPerHour(machine);
  if (hourly === null) {
    const name = machine.accelerator
      ? `${machine.type} with ${machine.accelerator.type}`
      : machine.type;
    return { refusal: `no price is known for ${name}, so its cost cannot be bounded` };
  }
  const usd = (hourly * timeoutSeconds) / 3600 + pipelineRunUsd;
  const { usdPerRunMax, usdPerMonthMax } = manifest.budget;
  if (usd > usdPerRunMax) {
    return { refusal: `a run may cost ${usd.toFixed(2)} USD, above usdPerRunMax ${usdPerRunMax}` };
  }
  const { spentUsd, reservedUsd } = currentBudget(state, nowMs);
  const total = spentUsd + reservedUsd + usd;
  return total > usdPerMonthMax
    ? {
        refusal: `this month would reach ${total.toFixed(2)} USD, above usdPerMonthMax ${usdPerMonthMax}`,
      }
    : { usd };
};

/** What a run did cost: machine time at its price, never above what was reserved. */
export const settle = (manifest: Manifest, machineSeconds: number, reservedUsd: number): number =>
  Math.min(
    reservedUsd,
    ((usdPerHour(manifest.training.machine) ?? 0) * machineSeconds) / 3600 + pipelineRunUsd,
  );
