/** Every phase crossed with every event: what is decided, whatever is found. */
import type { ContinuoEvent } from "../../../events/index.js";
import { decide } from "../../../shared/domain/decide.js";
import type { Decision } from "../../../shared/domain/decision.js";
import type { ModelState } from "../../../shared/domain/state.js";
import { events, factsOf, nowMs } from "./situations.js";

/** What a row says of each event; an event that is not there is ignored. */
export type Row = Readonly<Record<string, string>>;

/** Decisions that go with others and tell phases apart by nothing. */
const accompanying: ReadonlySet<Decision["do"]> = new Set([
  "ignore",
  "notify",
  "set-timer",
  "clear-timer",
  "remember",
  "set-aliases",
]);

/** The name of an event's column: its type, or what its data makes of it. */
const columnOf = (event: ContinuoEvent): string => {
  if (event.type === "command.issued") return `command ${event.data.command}`;
  if (event.type === "approval.given") return event.data.decision;
  if (event.type === "timer.fired") return `timer ${event.data.kind}`;
  if (event.type === "model.visited") return event.data.by;
  return event.type === "effect.rejected" ? `refused ${event.data.decision}` : event.type;
};

/** The decisions that each event can lead to in a state, over all that may be found. */
export const rowOf = (state: ModelState, atMs = nowMs): Row => {
  const row = new Map<string, Set<string>>();
  for (const event of Object.values(events).flat()) {
    for (const facts of Object.values(factsOf)) {
      for (const decision of decide(state, { event, facts }, atMs)) {
        if (accompanying.has(decision.do)) continue;
        const column = columnOf(event);
        row.set(column, (row.get(column) ?? new Set()).add(decision.do));
      }
    }
  }
  return Object.fromEntries(
    [...row].map(([column, does]) => [column, [...does].toSorted().join(", ")]),
  );
};
