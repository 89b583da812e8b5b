/** Cloud Monitoring incidents: an alert policy whose user labels say what it means for a model. */
import { z } from "zod";
import { performanceDecayed } from "../alert.js";
import { problemText, type Message, type Reading } from "./message.js";

const ofIncident = z.looseObject({
  version: z.string(),
  incident: z.looseObject({ incident_id: z.unknown() }),
});

const secondsMax = Date.UTC(2100, 0) / 1000;

const incident = z.looseObject({
  version: z.string(),
  incident: z.looseObject({
    incident_id: z.string().min(1),
    state: z.string(),
    started_at: z.number().min(0).max(secondsMax).nullish(),
    // Numbers arrive as text in incidents.
    observed_value: z.union([z.number(), z.string().min(1)]).nullish(),
    threshold_value: z.union([z.number(), z.string().min(1)]).nullish(),
    metric: z.looseObject({ type: z.string().nullish() }).nullish(),
    policy_user_labels: z.record(z.string(), z.string()).nullish(),
  }),
});

const asNumber = (value: number | string | null | undefined): number | undefined =>
  typeof value === "string" ? Number(value) : (value ?? undefined);

/** An incident opened by a policy labelled `continuo-model: <name>` is decay of that model's metric. */
export const cloudMonitoring = (message: Message): Reading => {
  if (!ofIncident.safeParse(message.body).success) return null;
  const parsed = incident.safeParse(message.body);
  if (!parsed.success) return { problem: problemText(parsed.error) };
  const { incident: found, version } = parsed.data;
  const model = found.policy_user_labels?.["continuo-model"];
  // The console's "send test notification" has version "test".
  if (version === "test" || found.state.toLowerCase() !== "open" || model === undefined) {
    return { events: [] };
  }
  const started =
    typeof found.started_at !== "number"
      ? message.publishTime
      : new Date(found.started_at * 1000).toISOString();
  const event = performanceDecayed.safeParse({
    specversion: "1.0",
    type: "performance.decayed",
    id: found.incident_id,
    source: "//monitoring.googleapis.com",
    time: started,
    data: {
      model,
      metric: (found.metric?.type ?? "unknown").slice(0, 64),
      value: asNumber(found.observed_value),
      threshold: asNumber(found.threshold_value),
      method: "labels",
      rows: 0,
      window: { start: started, end: message.publishTime },
    },
  });
  return event.success ? { events: [event.data] } : { problem: problemText(event.error) };
};
