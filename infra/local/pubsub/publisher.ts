/** google.pubsub.v1.Publisher. */
import type { ServiceImplementation } from "../protocol/service.js";
import type { Engine } from "./engine.js";
import { checkPublish, checkTopic } from "./limits.js";
import { maskedFields, page, patched } from "../protocol/masks.js";
import type { Names } from "./names.js";
import type { PubsubMessage, Topic } from "./shapes.js";

interface Named {
  readonly topic?: string;
}
interface Paged {
  readonly pageSize?: number;
  readonly pageToken?: string;
}

const changeable = ["labels", "messageRetentionDuration", "messageStoragePolicy", "kmsKeyName"];

/** Topics and publishing. */
export function publisherService(engine: Engine, names: Names): ServiceImplementation {
  const topicName = (name: string | undefined): string => names.resource("topics", name);
  return {
    service: "google.pubsub.v1.Publisher",
    unary: {
      CreateTopic: (given: Topic) => {
        const topic: Topic = { ...given, name: topicName(given.name) };
        checkTopic(topic);
        return engine.createTopic(topic);
      },
      GetTopic: ({ topic }: Named) => engine.topic(topicName(topic)),
      UpdateTopic: (request: {
        readonly topic?: Topic;
        readonly updateMask?: { readonly paths?: readonly string[] };
      }) => {
        const name = topicName(request.topic?.name);
        const fields = maskedFields(request.updateMask, changeable, "Topic");
        const topic = patched(engine.topic(name), request.topic ?? {}, fields);
        checkTopic(topic);
        return engine.updateTopic(topic);
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
        return { messageIds: engine.publish(topic, checkPublish(request.messages)) };
      },
    },
  };
}
