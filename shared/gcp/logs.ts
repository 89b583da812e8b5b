/** The Logs port on Cloud Logging's REST API. */
import type { Logs } from "../ports/logs.js";
import { baseUrl, type GcpConfig } from "./config.js";
import { attempting } from "./errors.js";
import type { Rest } from "./rest.js";

/** The Logs port. */
export const cloudLogs = (config: GcpConfig, rest: Rest): Logs => ({
  write: (entry) =>
    attempting(`write log entry ${entry.insertId} to ${entry.log}`, async () => {
      const logName = `projects/${config.projectId}/logs/${encodeURIComponent(entry.log)}`;
      await rest.call({
        method: "POST",
        url: `${baseUrl(config, "logging")}/v2/entries:write`,
        body: {
          entries: [
            {
              logName,
              insertId: entry.insertId,
              timestamp: new Date(entry.timestampMs).toISOString(),
              severity: entry.severity,
              resource: { type: entry.resourceType, labels: entry.resourceLabels },
              jsonPayload: entry.payload,
            },
          ],
        },
        // Logging drops an entry whose insertId and timestamp it already has.
        isRepeatable: true,
      });
    }),
});
