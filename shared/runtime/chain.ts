/** The models' hash chains: anchoring their heads, and walking them. */
import type { ModelName } from "../../events/ids.js";
import { verifyChain, type ChainRecord, type ChainReport } from "../domain/chain.js";
import type { Head } from "../ports/anchors.js";
import type { Ports } from "../ports/ports.js";
import type { JournalEntry } from "../ports/state.js";
import { forEach } from "./for-each.js";

const headsPerPage = 200;
const recordsPerPage = 500;
/** A model that decides all the time is read so often; then it is judged by what its last read head covers. */
const attemptsMax = 3;

/** Anchors every head that has changed since the last time; nothing is written for those that have not. */
export const anchorHeads = async ({ state, anchors }: Ports): Promise<void> => {
  for (let after: ModelName | null = null; ;) {
    const heads: readonly Head[] = await state.unanchored({ after, limit: headsPerPage });
    await forEach(heads, "anchor", async (head) => {
      await anchors.write(head);
      await state.markAnchored(head);
    });
    if (heads.length < headsPerPage) return;
    after = heads.at(-1)?.model ?? null;
  }
};

const linked = (entry: JournalEntry): readonly ChainRecord[] =>
  entry.chain === null ? [] : [{ ...entry, chain: entry.chain }];

/** Every record of a model's chain that the journal holds. */
const recordsOf = async (model: ModelName, { state }: Ports): Promise<readonly ChainRecord[]> => {
  const found = new Map<string, JournalEntry>();
  for (let afterSequence = 0; ;) {
    const page = await state.chain({ model, afterSequence, limit: recordsPerPage });
    const before = found.size;
    for (const entry of page) found.set(entry.key, entry);
    // A model that was applied anew has two records of one place, which a page may part.
    if (page.length < recordsPerPage || found.size === before) break;
    afterSequence = (page.at(-1)?.chain?.sequence ?? 1) - 1;
  }
  return [...found.values()].flatMap(linked);
};

/** Walks one model's chain; null when nothing is known of such a model. */
export const verifyModel = async (model: ModelName, ports: Ports): Promise<ChainReport | null> => {
  for (let attempt = 1; ; attempt += 1) {
    const before = await ports.state.model(model);
    const anchors = await ports.anchors.list(model);
    const records = await recordsOf(model, ports);
    const after = await ports.state.model(model);
    const isQuiet = before?.head === after?.head;
    if (!isQuiet && attempt < attemptsMax) continue;
    if (after === null && records.length === 0 && anchors.length === 0) return null;
    const head = before === null ? null : { sequence: before.sequence, hash: before.head };
    return verifyChain({
      head,
      anchors,
      // What was decided while the records were read has no head to be judged by yet.
      records: isQuiet
        ? records
        : records.filter(({ chain }) => chain.sequence <= (head?.sequence ?? 0)),
      nowMs: ports.clock(),
    });
  }
};
