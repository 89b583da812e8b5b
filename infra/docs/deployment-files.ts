/** Every generated file that deployment reads, by its path in the repository. */
import { topicsWithSchema } from "../../functions/manifest.js";
import { cloudMonitoringDashboard, grafanaDashboard } from "./dashboards.js";
import { manifestJson } from "./manifest-json.js";
import { topicSchema } from "./topic-schemas.js";

/** Paths and contents; the formatter has the last word on JSON's line breaks. */
export const deploymentFiles = (): ReadonlyMap<string, string> =>
  new Map([
    ["functions/manifest.json", manifestJson()],
    ["infra/terraform/dashboards/cloud-monitoring.json", cloudMonitoringDashboard()],
    ["infra/terraform/dashboards/grafana.json", grafanaDashboard()],
    ...topicsWithSchema.map((topic): [string, string] => [
      `infra/terraform/schemas/${topic}.proto`,
      topicSchema(topic),
    ]),
  ]);
