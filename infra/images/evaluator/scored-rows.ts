/** The scores of both versions on the same rows: all that a verdict needs, stored beside it. */
import { createHash } from "node:crypto";
import { z } from "zod";
import { ImageError, parseJson } from "../arguments.js";

/** Labels, scores and slice values, one entry per row. */
export interface ScoredRows {
  readonly labels: Uint8Array;
  readonly challenger: Float64Array;
  readonly champion: Float64Array | undefined;
  /** Slice column -> value of every row, "" for missing. */
  readonly slices: ReadonlyMap<string, readonly string[]>;
}

const line = z.object({
  label: z.union([z.literal(0), z.literal(1)]),
  challenger: z.number(),
  champion: z.number().optional(),
  slices: z.record(z.string(), z.string()).default({}),
});

/** The rows as JSON lines; numbers keep every digit, so that the verdict can be computed again exactly. */
export function formatScores(rows: ScoredRows): string {
  const lines = Array.from(rows.labels, (label, row) => {
    const slices = [...rows.slices].map(([column, values]) => [column, values[row] ?? ""] as const);
    return JSON.stringify({
      row,
      label,
      challenger: rows.challenger[row],
      champion: rows.champion?.[row],
      ...(slices.length === 0 ? {} : { slices: Object.fromEntries(slices) }),
    });
  });
  return `${lines.join("\n")}\n`;
}

/** Reads stored scores. */
export function parseScores(text: string): ScoredRows {
  const lines = text.split("\n").filter((entry) => entry !== "");
  const rows = lines.map((entry, i) => parseJson(entry, `line ${i + 1} of the scores`, line));
  const scored = rows.filter(({ champion }) => champion !== undefined).length;
  if (scored !== 0 && scored !== rows.length) {
    throw new ImageError(`the champion scored ${scored} of ${rows.length} rows: it must score all`);
  }
  const columns = Object.keys(rows[0]?.slices ?? {});
  return {
    labels: Uint8Array.from(rows, ({ label }) => label),
    challenger: Float64Array.from(rows, ({ challenger }) => challenger),
    champion: scored === 0 ? undefined : Float64Array.from(rows, ({ champion }) => champion ?? NaN),
    slices: new Map(
      columns.map((column) => [column, rows.map(({ slices }) => slices[column] ?? "")]),
    ),
  };
}

/** SHA-256 of stored scores, in hexadecimal. */
export const scoresDigest = (text: string): string =>
  createHash("sha256").update(text).digest("hex");
