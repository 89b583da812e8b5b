/** Read masks of list requests, by their top-level fields. */
import type { FieldMask } from "../messages.js";

const camelCase = (path: string): string =>
  path.replaceAll(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());

/** Keeps the fields that the mask names; all of them without a mask. */
export const maskFields = (
  message: Readonly<Record<string, unknown>>,
  mask: FieldMask | undefined,
): Readonly<Record<string, unknown>> => {
  const paths = mask?.paths ?? [];
  if (paths.length === 0 || paths.includes("*")) return message;
  const fields = new Set(paths.map((path) => camelCase(path.split(".")[0] ?? "")));
  return Object.fromEntries(Object.entries(message).filter(([key]) => fields.has(key)));
};
