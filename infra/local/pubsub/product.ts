/** Pub/Sub of the local cloud: durable topics, push, pull and streaming pull. */
import type { CloudContext, CloudProduct, CloudServices } from "../cloud.js";
import type { TokenSigner } from "../identity.js";
import { makeEngine } from "./engine.js";
import { iamService } from "./iam.js";
import { checkPublish } from "./limits.js";
import { namesOf } from "./names.js";
import { schemaService } from "./schema-service.js";
import { publisherService } from "./publisher.js";
import { subscriberService } from "./subscriber.js";

/** Makes Pub/Sub; `tokens` signs what its push requests carry. */
export function pubsubProduct(
  context: CloudContext,
  tokens: TokenSigner,
): CloudProduct & { readonly face: CloudServices["pubsub"] } {
  const { projectId, projectNumber } = context.settings;
  const names = namesOf(projectId, projectNumber);
  const engine = makeEngine(context, tokens);
  return {
    services: [
      publisherService(engine, names),
      subscriberService(engine, names),
      iamService(engine, names),
      schemaService(engine, names),
    ],
    face: {
      publish: async (given, messages) => {
        const topic = names.resource("topics", given);
        return engine.publish(topic, await engine.checked(topic, checkPublish(messages)));
      },
    },
    start: engine.start,
    stop: engine.stop,
  };
}
