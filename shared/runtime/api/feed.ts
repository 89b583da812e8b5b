/** New journal entries for whoever watches, with one look at the store per second however many watch. */
import type { ModelName } from "../../../events/ids.js";
import type { JournalEntry, State } from "../../ports/state.js";

/** Milliseconds between two looks. */
const lookIntervalMs = 1000;
/** Entries become visible a little after their time; every look reaches back this far. */
const lookBackMs = 10_000;
const entriesMax = 200;

type Watcher = (entries: readonly JournalEntry[]) => void;

/** A feed of new and changed journal entries. */
export interface Feed {
  /** Calls `watcher` with new entries, oldest first, until the returned function is called. */
  readonly watch: (watcher: Watcher) => () => void;
}

/** A feed over the state store; it looks only while somebody watches. */
export const timelineFeed = (
  state: Pick<State, "timeline">,
  clock: () => number,
  report: (error: unknown) => void,
): Feed => {
  const watchers = new Set<Watcher>();
  let seen: ReadonlyMap<string, boolean> | null = null;
  let newestMs = 0;
  let timer: NodeJS.Timeout | undefined;

  // The first look only learns what is already there.
  const look = async (): Promise<void> => {
    const entries = await state.timeline({ afterMs: newestMs - lookBackMs, limit: entriesMax });
    const known = seen;
    const fresh =
      known === null ? [] : entries.filter(({ key, isPending }) => known.get(key) !== isPending);
    seen = new Map(entries.map(({ key, isPending }) => [key, isPending]));
    // Time moves on by what was seen, never by this machine's clock, which may run ahead of the writers'.
    newestMs = Math.max(newestMs, ...entries.map(({ receivedAtMs }) => receivedAtMs));
    if (fresh.length > 0) for (const watcher of watchers) watcher(fresh.toReversed());
  };

  const lookAgain = (delayMs: number): void => {
    timer = setTimeout(() => {
      look()
        .catch(report)
        .finally(() => {
          if (watchers.size > 0) lookAgain(lookIntervalMs);
          else timer = undefined;
        });
    }, delayMs);
    timer.unref();
  };

  return {
    watch: (watcher) => {
      watchers.add(watcher);
      if (timer === undefined) {
        seen = null;
        newestMs = clock();
        lookAgain(0);
      }
      return () => {
        watchers.delete(watcher);
      };
    },
  };
};

/** The entries of a model, or all. */
export const ofModel = (
  entries: readonly JournalEntry[],
  model: ModelName | null,
): readonly JournalEntry[] =>
  model === null ? entries : entries.filter((entry) => entry.model === model);
