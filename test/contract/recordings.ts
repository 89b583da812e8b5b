/**
 * Where the service's own replies stand recorded in public: GoogleCloudPlatform/k8s-config-connector keeps the REST and
 * gRPC traffic of its tests against Google Cloud. Each case states a fact of one recording, with its file and commit.
 */

/** A recorded session with the service. */
export interface Recording {
  readonly path: string;
  readonly commit: string;
}

const repository = "GoogleCloudPlatform/k8s-config-connector";
const at = (path: string, commit: string): Recording => ({ path: `${path}/_http.log`, commit });
const basic = "pkg/test/resourcefixture/testdata/basic";

/** The recordings that cases are taken from. */
export const recordings = {
  topic: at(
    `${basic}/pubsub/v1beta1/pubsubtopic/pubsubtopic`,
    "857f933324b347ec455b6b6a674be0c1fdb61954",
  ),
  subscription: at(
    `${basic}/pubsub/v1beta1/pubsubsubscription/basicpubsubsubscription`,
    "73b29d637a3ef74b2c4e60efb00a4111f2040f11",
  ),
  push: at(
    `${basic}/pubsub/v1beta1/pubsubsubscription/pubsubsubscription-push`,
    "73b29d637a3ef74b2c4e60efb00a4111f2040f11",
  ),
  schema: at(`${basic}/pubsub/v1beta1/pubsubschema`, "9d64f559602f3181334ffa255311130a46ad3608"),
  snapshot: at(
    `${basic}/pubsub/pubsubsnapshot/pubsubsnapshot-full`,
    "5f18446f28661120ee2e6064ad4c478a6a0c9148",
  ),
  gcloudTopic: at(
    "mockgcp/mockpubsub/testdata/topic/crud",
    "cdb85ecf17085561b9f4abc75a95107cb01446d9",
  ),
  gcloudSnapshot: at(
    "mockgcp/mockpubsub/testdata/snapshot/crud",
    "cdb85ecf17085561b9f4abc75a95107cb01446d9",
  ),
  endpoint: at(
    `${basic}/vertexai/v1beta1/vertexaiendpoint/vertexaiendpointbasic`,
    "bf16c5d1bf0915c7ded6fce7ad6cc54424ee706d",
  ),
  endpointKey: at(
    `${basic}/vertexai/v1beta1/vertexaiendpoint/vertexaiendpointencryptionkey`,
    "cdb85ecf17085561b9f4abc75a95107cb01446d9",
  ),
  customJob: at(
    `${basic}/vertexai/v1alpha1/vertexaicustomjob/vertexaicustomjob-minimal`,
    "4602328ff5b660e03bbecbea4010ff4fa72f7620",
  ),
  pipelineJob: at(
    `${basic}/aiplatform/v1alpha1/vertexaipipelinejob/vertexaipipelinejob-maximal`,
    "729252c2f5ffcd6a4ec00bcee65e060f7f11edf1",
  ),
} as const satisfies Readonly<Record<string, Recording>>;

/** Where a case's fact stands, for the end of its title. */
export const from = ({ path, commit }: Recording): string =>
  `[${repository}@${commit.slice(0, 12)} ${path}]`;

/** A reply over REST. */
export interface RestAnswer {
  readonly code: number;
  readonly body: Readonly<Record<string, unknown>>;
}

/** Plain REST calls to a local cloud, as the recordings make them. */
export const restCalls =
  (port: () => number) =>
  async (method: string, path: string, body?: unknown): Promise<RestAnswer> => {
    const response = await fetch(`http://127.0.0.1:${port()}/${path}`, {
      method,
      headers: { "content-type": "application/json" },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    return { code: response.status, body: (await response.json()) as RestAnswer["body"] };
  };

/** The body of an error over REST. */
export const errorBody = (code: number, status: string, message: string) => ({
  error: { code, message, status },
});
