/** The parameters of a tuning job's trials. Google's search is not public: here they are drawn at random, or go through a grid. */
import type { ParameterSpec, StudySpec } from "./tuning-request.js";

/** A parameter's value. */
export type ParameterValue = number | string;

/** A fraction below 1 that is always the same for the same text (FNV-1a, mixed once more). */
const fractionOf = (text: string): number => {
  let hash = 0x811c9dc5;
  for (const character of text) {
    hash = Math.imul(hash ^ (character.codePointAt(0) ?? 0), 0x01000193);
  }
  hash = Math.imul(hash ^ (hash >>> 15), 0x85ebca6b);
  return ((hash ^ (hash >>> 13)) >>> 0) / 2 ** 32;
};

const between = (min: number, max: number, fraction: number, scale: string): number => {
  const log = (part: number): number =>
    Math.exp(Math.log(min) + part * (Math.log(max) - Math.log(min)));
  if (scale === "UNIT_LOG_SCALE") return log(fraction);
  if (scale === "UNIT_REVERSE_LOG_SCALE") return min + max - log(fraction);
  return min + fraction * (max - min);
};

const listOf = (spec: ParameterSpec): readonly ParameterValue[] => {
  const { integerValueSpec: whole } = spec;
  if (whole === undefined) {
    return spec.categoricalValueSpec?.values ?? spec.discreteValueSpec?.values ?? [];
  }
  const min = Number(whole.minValue ?? 0);
  return Array.from({ length: Number(whole.maxValue ?? 0) - min + 1 }, (_, index) => min + index);
};

const drawn = (spec: ParameterSpec, fraction: number): ParameterValue => {
  const scale = spec.scaleType ?? "";
  if (spec.doubleValueSpec !== undefined) {
    const { minValue = 0, maxValue = 0 } = spec.doubleValueSpec;
    return between(minValue, maxValue, fraction, scale);
  }
  if (spec.integerValueSpec !== undefined) {
    const min = Number(spec.integerValueSpec.minValue ?? 0);
    const max = Number(spec.integerValueSpec.maxValue ?? 0);
    return Math.min(max, Math.floor(between(min, max + 1, fraction, scale)));
  }
  const values = listOf(spec);
  return values[Math.floor(fraction * values.length)] ?? "";
};

/** How many different trials the study has; without end where values are drawn. */
export const trialsIn = (study: StudySpec): number =>
  study.algorithm === "GRID_SEARCH"
    ? (study.parameters ?? []).reduce((product, spec) => product * listOf(spec).length, 1)
    : Number.POSITIVE_INFINITY;

/** The parameters of one trial, from 0; the same ones whenever they are asked for. */
export const trialParameters = (
  study: StudySpec,
  seed: string,
  trial: number,
): Readonly<Record<string, ParameterValue>> => {
  let rest = trial;
  return Object.fromEntries(
    (study.parameters ?? []).map((spec) => {
      const id = spec.parameterId ?? "";
      if (study.algorithm !== "GRID_SEARCH") {
        return [id, drawn(spec, fractionOf(`${seed}/${trial}/${id}`))];
      }
      const values = listOf(spec);
      const value = values[rest % values.length] ?? "";
      rest = Math.floor(rest / values.length);
      return [id, value];
    }),
  );
};
