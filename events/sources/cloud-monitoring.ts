/** Cloud Monitoring incidents: an alert policy whose user labels say what it means for a model. */
import { z } from "zod";
import { performanceDecayed } from "../alert.js";
import { problemText, type Message, type Reading } from "./message.js";

const incident = z.looseObject({
  version: z.string(),
  incident: z.looseObject({
    incident_id: z.string().min(1),
    state: z.string(),
    started_at: z.number().optional(),
    // Numbers arrive as text in incidents.
    observed_value: z.coerce.number().optional(),
    threshold_value: z.coerce.number().optional(),
    metric: z.looseObject({ type: z.string().optional() }).optional(),
    policy_user_labels: z.record(z.string(), z.string()).default({}),
  }),
});

/** An incident opened by a policy labelled `continuo-model: <name>` is decay of that model's metric. */
export const cloudMonitoring = (message: Message): Reading => {
  const parsed = incident.safeParse(message.body);
  if (!parsed.success) return null;
  const { incident: found, version } = parsed.data;
  const model = found.policy_user_labels["continuo-model"];
  // The console's "send test notification" has version "test".
  if (version === "test" || found.state.toLowerCase() !== "open" || model === undefined) {
    return { events: [] };
  }
  const started =
    found.started_at === undefined
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
      value: found.observed_value,
      threshold: found.threshold_value,
      method: "labels",
      rows: 0,
      window: { start: started, end: message.publishTime },
    },
  });
  return event.success ? { events: [event.data] } : { problem: problemText(event.error) };
};
