/** The list of what is deployed, as JSON: what Terraform and Cloud Build read. */
import {
  bigQueryArrivals,
  functions,
  sinks,
  systemSchedules,
  topicNames,
  topicsWithSchema,
} from "../../functions/manifest.js";
import { database } from "../../shared/gcp/database.js";
import { deadLetterTopic } from "../../shared/gcp/topology.js";

/** Content of functions/manifest.json. */
export const manifestJson = (): string =>
  JSON.stringify(
    {
      description:
        "Generated from functions/manifest.ts by `npm run generate`; read by Terraform and Cloud Build.",
      deadLetterTopic,
      topics: topicNames,
      schemas: topicsWithSchema,
      functions: Object.fromEntries(
        functions.map(({ name, trigger, uses: _uses, ...settings }) => [
          name,
          {
            topic: "topic" in trigger ? trigger.topic : null,
            route: "route" in trigger ? trigger.route : null,
            ...settings,
          },
        ]),
      ),
      sinks,
      bigQueryArrivals,
      systemSchedules,
      database,
    },
    null,
    2,
  );
