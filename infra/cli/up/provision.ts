/** A short process that makes the local cloud look like the list of functions; it prints what it changed. */
import { readFileSync } from "node:fs";
import process from "node:process";
import { parseArgs } from "node:util";
import { functions, sinks, systemSchedules, topicNames } from "../../../functions/manifest.js";
import { provision } from "../../../shared/gcp/provision.js";
import { templateUri } from "../../../shared/runtime/training-spec.js";
import { config, ports } from "../../../shared/runtime/wiring.js";

const { values } = parseArgs({
  options: {
    functions: { type: "string", default: "" },
    /** File of the pipeline template. */
    template: { type: "string", default: "infra/pipelines/train.json" },
  },
});
const served = new Set(values.functions.split(","));
const { projectId, region, bucket, identity, localCloud, pushAudience, pushIdentity } = config();

const changes = await provision(
  {
    functions: functions.filter(({ name }) => served.has(name)),
    sinks,
    systemSchedules,
    topicNames,
  },
  { projectId, region, bucket, identity, ...(localCloud === undefined ? {} : { localCloud }) },
  {
    pushBaseUrl: pushAudience,
    pushIdentity,
    // As Terraform has it: a file that is put there is a new version of a dataset.
    notification: { prefix: "datasets/", topic: "dataset" },
  },
);
await ports().objects.write(templateUri(bucket), readFileSync(values.template), "application/json");
process.stdout.write(`${JSON.stringify({ changes })}\n`);
process.exit(0);
