/** The one form of parameterExpressionSelector that compiled pipelines use: a field of a loop's item. */

/** The key or index that `parseJson(string_value)["key"]` selects; undefined when it is written otherwise. */
export const selectorOf = (text: string): string | number | undefined => {
  const match =
    /^parseJson\(string_value\)\[(?:"((?:[^"\\]|\\.)*)"|'((?:[^'\\]|\\.)*)'|(\d{1,9}))\]$/.exec(
      text.trim(),
    );
  if (match === null) return undefined;
  return match[3] === undefined ? (match[1] ?? match[2] ?? "") : Number(match[3]);
};

/** Selects a part of a value that may be JSON text or already read. */
export const select = (value: unknown, selector: string | number): unknown => {
  const parsed: unknown = typeof value === "string" ? JSON.parse(value) : value;
  if (typeof parsed !== "object" || parsed === null || !Object.hasOwn(parsed, selector)) {
    return undefined;
  }
  return Object.entries(parsed).find(([key]) => key === String(selector))?.[1];
};
