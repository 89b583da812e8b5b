/** The journal as a timeline. */
import type { Handler } from "./context.js";
import { ok } from "./context.js";
import { notFound } from "./errors.js";
import { queryInstant, queryLimit, queryModel } from "./read.js";
import { entryView } from "./views.js";

/** GET /timeline?model=&correlation=&after=&limit=, newest first. */
export const getTimeline: Handler = async ({ ports }, request) => {
  const model = queryModel(request);
  const correlationId = request.query.get("correlation");
  const afterMs = queryInstant(request, "after");
  const entries = await ports.state.timeline({
    ...(model === undefined ? {} : { model }),
    ...(correlationId === null || correlationId === "" ? {} : { correlationId }),
    ...(afterMs === undefined ? {} : { afterMs }),
    limit: queryLimit(request, 100),
  });
  return ok({ entries: entries.map(entryView) });
};

/** GET /timeline/stream?model=: new entries as server-sent events. */
export const streamTimeline: Handler = async (_context, request) => ({
  kind: "stream",
  model: queryModel(request) ?? null,
});

/** GET /events/:key: one journal entry with the event as it came. */
export const getEvent: Handler = async ({ ports }, _request, { key = "" }) => {
  const entry = await ports.state.entry(key);
  if (entry === null) throw notFound(`the journal holds no event "${key}"`);
  return ok({ ...entryView(entry), event: entry.event });
};
