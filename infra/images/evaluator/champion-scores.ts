/**
 * The champion's scores, kept from one run to the next: they change only with its model and with the rows, so that these
 * two digests name them. A training run on the same data, or an evaluation that is tried again, scores the challenger alone.
 */
import { explain } from "../arguments.js";
import { contentDigest, readBytes, writeBytes } from "../io.js";
import { modelAddress } from "../model/load.js";

/** Where the scores of one model on one set of rows are kept. */
export interface ScoresAddress {
  /** Folder of all kept scores; nothing is kept without one. */
  readonly folder: string;
  readonly champion: string;
  readonly rows: string;
}

const bytesOfScore = Float64Array.BYTES_PER_ELEMENT;

/** Scores as they are kept, when they are as many as the rows and probabilities; undefined when they are not. */
function scoresIn(bytes: Uint8Array, rows: number): Float64Array | undefined {
  if (bytes.length !== rows * bytesOfScore) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const scores = Float64Array.from({ length: rows }, (_, row) =>
    view.getFloat64(row * bytesOfScore, true),
  );
  return scores.every((score) => score >= 0 && score <= 1) ? scores : undefined;
}

function bytesOf(scores: Float64Array): Uint8Array {
  const view = new DataView(new ArrayBuffer(scores.length * bytesOfScore));
  for (const [row, score] of scores.entries()) view.setFloat64(row * bytesOfScore, score, true);
  return new Uint8Array(view.buffer);
}

/** The kept scores, or those that `score` makes, which are then kept; what cannot be read or kept costs time alone. */
export async function championScores(
  { folder, champion, rows }: ScoresAddress,
  count: number,
  score: () => Float64Array,
): Promise<{ readonly scores: Float64Array; readonly isKept: boolean }> {
  if (folder === "") return { scores: score(), isKept: false };
  const digests = await Promise.all([contentDigest(modelAddress(champion)), contentDigest(rows)]);
  const address = `${folder.replace(/\/+$/, "")}/${digests.join("-")}.f64`;
  try {
    const kept = scoresIn(await readBytes(address), count);
    if (kept !== undefined) return { scores: kept, isKept: true };
    console.error(`scored anew: ${address} holds no scores of ${count} rows`);
  } catch (cause) {
    console.error(`the champion's scores are not kept yet: ${explain(cause)}`);
  }
  const scores = score();
  try {
    await writeBytes(address, bytesOf(scores));
  } catch (cause) {
    console.error(`the champion's scores could not be kept: ${explain(cause)}`);
  }
  return { scores, isKept: false };
}
