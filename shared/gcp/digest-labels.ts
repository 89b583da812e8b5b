/** An artifact's digest as labels: a SHA-256 in hex is one digit longer than a label's value may be. */

const labelValueLengthMax = 63;
const half = 32;

/** The labels that keep a digest. */
export const digestLabels = (digest: string): Record<string, string> => {
  const hex = /^(?:sha256:)?([0-9a-f]{64})$/i.exec(digest)?.[1]?.toLowerCase();
  if (hex !== undefined) {
    return { "artifact-sha256-1": hex.slice(0, half), "artifact-sha256-2": hex.slice(half) };
  }
  return {
    "artifact-digest": digest
      .toLowerCase()
      .replaceAll(/[^a-z0-9_-]/g, "-")
      .slice(0, labelValueLengthMax),
  };
};

/** The digest that labels keep, without an algorithm's name before it; null without one. */
export const digestOfLabels = (labels: Readonly<Record<string, string>>): string | null => {
  const first = labels["artifact-sha256-1"];
  const second = labels["artifact-sha256-2"];
  if (first !== undefined && second !== undefined) return `${first}${second}`;
  return labels["artifact-digest"] ?? null;
};
