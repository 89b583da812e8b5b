/** The rules for labels that all jobs share. */
import { RpcError } from "../../protocol/service.js";
import type { Labels } from "../messages.js";

const labelsMax = 64;
const keyPattern = /^[\p{Ll}\p{Lo}][\p{Ll}\p{Lo}\p{N}_-]{0,63}$/u;
const valuePattern = /^[\p{Ll}\p{Lo}\p{N}_-]{0,64}$/u;

/** Returns the labels, or throws RpcError INVALID_ARGUMENT naming the first that is not allowed. */
export const checkLabels = (labels: Labels | undefined): Labels => {
  const entries = Object.entries(labels ?? {});
  if (entries.length > labelsMax) {
    throw new RpcError(
      "INVALID_ARGUMENT",
      `${entries.length} labels are too many: ${labelsMax} are allowed.`,
    );
  }
  for (const [key, value] of entries) {
    if (!keyPattern.test(key) || !valuePattern.test(value)) {
      throw new RpcError(
        "INVALID_ARGUMENT",
        `Label "${key}": "${value}" is not allowed: keys start with a lower-case letter, keys and values have at most 64 lower-case letters, digits, _ and -.`,
      );
    }
  }
  return labels ?? {};
};
