/** google.pubsub.v1.Publisher. */
import type { ServiceImplementation } from "../protocol/service.js";
import type { Engine } from "./engine.js";
import { checkPublish, checkTopic } from "./limits.js";
import { maskedFields, page, patched } from "../protocol/masks.js";
import type { Names } from "./names.js";
import { deletedSchema } from "./schemas.js";
import type { PubsubMessage, Topic } from "./shapes.js";

interface Named {
  readonly topic?: string;
}
interface Paged {
  readonly pageSize?: number;
  readonly pageToken?: string;
}

const changeable = [
  "labels",
  "messageRetentionDuration",
  "messageStoragePolicy",
  "kmsKeyName",
  "schemaSettings",
];

/** Topics and publishing. */
export function publisherService(engine: Engine, names: Names): ServiceImplementation {
  /** A topic with its schema under the one spelling of its name, checked. */
  const checked = (topic: Topic): Topic => {
    checkTopic(topic);
    const settings = topic.schemaSettings;
    if (settings === undefined || settings.schema === deletedSchema) return topic;
    const schemaSettings = { ...settings, schema: names.resource("schemas", settings.schema) };
    engine.schemas.checkSettings(schemaSettings);
    return { ...topic, schemaSettings };
  };
  const topicName = (name: string | undefined): string => names.resource("topics", name);
  return {
    service: "google.pubsub.v1.Publisher",
    unary: {
      CreateTopic: (given: Topic) => {
        return engine.createTopic(checked({ ...given, name: topicName(given.name) }));
      },
      GetTopic: ({ topic }: Named) => engine.topic(topicName(topic)),
      UpdateTopic: (request: {
        readonly topic?: Topic;
        readonly updateMask?: { readonly paths?: readonly string[] };
      }) => {
        const name = topicName(request.topic?.name);
        const fields = maskedFields(request.updateMask, changeable, "Topic");
        return engine.updateTopic(
          checked(patched(engine.topic(name), request.topic ?? {}, fields)),
        );
      },
      DeleteTopic: ({ topic }: Named) => {
        engine.deleteTopic(topicName(topic));
        return {};
      },
      ListTopics: (request: Paged & { readonly project?: string }) => {
        const topics = engine.topics(names.project(request.project));
        const { items, nextPageToken } = page(topics, (topic) => topic.name, request);
        return { topics: items, nextPageToken };
      },
      ListTopicSubscriptions: (request: Paged & Named) => {
        const { name } = engine.topic(topicName(request.topic));
        const all = engine
          .subscriptionsOf(name)
          .map((subscription) => subscription.name)
          .toSorted();
        const { items, nextPageToken } = page(all, (one) => one, request);
        return { subscriptions: items, nextPageToken };
      },
      ListTopicSnapshots: (request: Paged & Named) => {
        const { name } = engine.topic(topicName(request.topic));
        const all = engine.snapshotsOf(name).map((snapshot) => snapshot.name);
        const { items, nextPageToken } = page(all, (one) => one, request);
        return { snapshots: items, nextPageToken };
      },
      DetachSubscription: ({ subscription }: { readonly subscription?: string }) => {
        engine.detach(names.resource("subscriptions", subscription));
        return {};
      },
      Publish: (request: Named & { readonly messages?: readonly PubsubMessage[] }) => {
        const topic = topicName(request.topic);
        const messages = checkPublish(request.messages);
        // Only a schema costs its topic a turn of the loop.
        return engine.hasSchema(topic)
          ? engine
              .checked(topic, messages)
              .then((fitting) => ({ messageIds: engine.publish(topic, fitting) }))
          : { messageIds: engine.publish(topic, messages) };
      },
    },
  };
}
