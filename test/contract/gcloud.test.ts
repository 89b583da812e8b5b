/** Google's command-line tool against the local cloud, end to end, where the machine has it. */
import { execFile } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { z } from "zod";
import { onPath } from "./emulators.js";
import { eventually, testProject, withLocalCloud, type LocalCloud } from "./local-cloud.js";
import { predictorImage, writeImages } from "./vertex-endpoints-world.js";

const hasGcloud = onPath("gcloud") !== undefined;
const absence = hasGcloud ? "" : " (absent: no gcloud on this machine)";
const commandLimitMs = 100_000;
const region = "--region=us-central1";
const location = "--location=us-central1";
const run = promisify(execFile);

describe.skipIf(!hasGcloud)(`gcloud${absence}`, () => {
  let cloud: LocalCloud;
  let folder = "";

  const environment = (): NodeJS.ProcessEnv => ({
    PATH: process.env["PATH"],
    HOME: folder,
    CLOUDSDK_CONFIG: join(folder, "gcloud"),
    CLOUDSDK_CORE_PROJECT: testProject,
    CLOUDSDK_CORE_DISABLE_PROMPTS: "1",
    CLOUDSDK_CORE_DISABLE_USAGE_REPORTING: "true",
    CLOUDSDK_COMPONENT_MANAGER_DISABLE_UPDATE_CHECK: "true",
    CLOUDSDK_AUTH_DISABLE_CREDENTIALS: "true",
    ...Object.fromEntries(
      ["AIPLATFORM", "PUBSUB", "CLOUDSCHEDULER", "LOGGING", "STORAGE", "FIRESTORE"].map((name) => [
        `CLOUDSDK_API_ENDPOINT_OVERRIDES_${name}`,
        `${cloud.address}/`,
      ]),
    ),
  });

  /** Runs one command, given as a line of words and then as words that may hold spaces; its standard output. */
  const gcloud = async (line: string, ...words: readonly string[]): Promise<string> => {
    const options = { env: environment(), timeout: commandLimitMs };
    const { stdout } = await run("gcloud", [...line.split(/\s+/), ...words], options);
    return stdout;
  };
  const gcloudJson = async <Output>(
    schema: z.ZodType<Output>,
    line: string,
    ...words: readonly string[]
  ): Promise<Output> => schema.parse(JSON.parse(await gcloud(`${line} --format=json`, ...words)));

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), "continuo-gcloud-"));
    const imagesFile = writeImages();
    cloud = await withLocalCloud(undefined, { imagesFile });
  });
  afterAll(async () => {
    await cloud.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  it("publishes to a topic and pulls from a subscription with every flag", async () => {
    const topic = `projects/${testProject}/topics/orders`;
    await gcloud("pubsub topics create orders --labels=team=ml");
    await gcloud(
      "pubsub subscriptions create pulled --topic=orders --ack-deadline=30 --enable-message-ordering --enable-exactly-once-delivery --labels=a=b --message-retention-duration=2h --retain-acked-messages --expiration-period=never --min-retry-delay=2s --max-retry-delay=60s --dead-letter-topic=orders --max-delivery-attempts=7",
      '--message-filter=attributes.kind = "a"',
    );
    const described = await gcloudJson(z.looseObject({}), "pubsub subscriptions describe pulled");
    expect(described).toMatchObject({
      topic,
      ackDeadlineSeconds: 30,
      deadLetterPolicy: { deadLetterTopic: topic, maxDeliveryAttempts: 7 },
      enableExactlyOnceDelivery: true,
      enableMessageOrdering: true,
      filter: 'attributes.kind = "a"',
      labels: { a: "b" },
      messageRetentionDuration: "7200s",
      retainAckedMessages: true,
      retryPolicy: { minimumBackoff: "2s", maximumBackoff: "60s" },
    });
    expect(described["expirationPolicy"]).toEqual({});
    await gcloud(
      "pubsub topics publish orders --message=hello --attribute=kind=a --ordering-key=k",
    );
    const received = z.array(
      z.looseObject({ ackStatus: z.string(), message: z.looseObject({ data: z.string() }) }),
    );
    const [got] = await gcloudJson(
      received,
      "pubsub subscriptions pull pulled --auto-ack --limit=5",
    );
    expect(got).toMatchObject({
      ackStatus: "SUCCESS",
      message: {
        data: Buffer.from("hello").toString("base64"),
        attributes: { kind: "a" },
        orderingKey: "k",
      },
    });
  });

  it("checks messages against a schema, and plays them again from a snapshot", async () => {
    const definition = '{"type":"record","name":"Row","fields":[{"name":"a","type":"int"}]}';
    await gcloud("pubsub schemas create row --type=avro", `--definition=${definition}`);
    await gcloud("pubsub topics create typed --schema=row --message-encoding=json");
    await gcloud("pubsub subscriptions create typed --topic=typed");
    await gcloud("pubsub topics publish typed", '--message={"a":1}');
    await expect(gcloud("pubsub topics publish typed", '--message={"a":"x"}')).rejects.toThrow(
      "INVALID_JSON_AVRO_MESSAGE",
    );
    await gcloud("pubsub snapshots create before --subscription=typed");
    const pull = "pubsub subscriptions pull typed --auto-ack --format=value(message.data)";
    expect((await gcloud(pull)).trim()).toBe('{"a":1}');
    await gcloud("pubsub subscriptions seek typed --snapshot=before");
    expect((await gcloud(pull)).trim()).toBe('{"a":1}');
  });

  it("creates a subscription that pushes with a token and without a wrapper", async () => {
    const taken = createServer();
    await new Promise<void>((resolve) => taken.listen(0, "127.0.0.1", resolve));
    const { port } = taken.address() as AddressInfo;
    taken.close();
    await gcloud("pubsub topics create pushing");
    await gcloud(
      `pubsub subscriptions create pushed --topic=pushing --push-endpoint=http://127.0.0.1:${port}/ --push-auth-service-account=push@${testProject}.iam.gserviceaccount.com --push-auth-token-audience=somebody --push-no-wrapper --push-no-wrapper-write-metadata`,
    );
    expect(
      await gcloudJson(z.looseObject({}), "pubsub subscriptions describe pushed"),
    ).toMatchObject({
      pushConfig: {
        pushEndpoint: `http://127.0.0.1:${port}/`,
        oidcToken: { audience: "somebody" },
        noWrapper: { writeMetadata: true },
      },
    });
  });

  it("copies files to a bucket and back, and lists them", async () => {
    const file = join(folder, "model.json");
    writeFileSync(file, '{"value":7}');
    await gcloud(`storage buckets create gs://gcloud-bucket ${location}`);
    await gcloud(`storage cp ${file} gs://gcloud-bucket/models/v1/model.json`);
    expect(await gcloud("storage ls gs://gcloud-bucket/models/v1/")).toBe(
      "gs://gcloud-bucket/models/v1/model.json\n",
    );
    const back = join(folder, "back.json");
    await gcloud(`storage cp gs://gcloud-bucket/models/v1/model.json ${back}`);
    expect(readFileSync(back, "utf8")).toBe('{"value":7}');
  });

  it("uploads a model, deploys it, predicts with it and takes it back", async () => {
    const named = z.array(z.looseObject({ name: z.string() }));
    await gcloud(
      `ai models upload ${region} --display-name=churn --container-image-uri=${predictorImage} --artifact-uri=gs://gcloud-bucket/models/v1 --container-ports=8080 --container-predict-route=/predict --container-health-route=/health`,
    );
    const [model] = await gcloudJson(named, `ai models list ${region}`);
    const modelId = model?.name.split("/").at(-1) ?? "";
    await gcloud(`ai endpoints create ${region} --display-name=serving`);
    const [endpoint] = await gcloudJson(named, `ai endpoints list ${region}`);
    const endpointId = endpoint?.name.split("/").at(-1) ?? "";
    await gcloud(
      `ai endpoints deploy-model ${endpointId} ${region} --model=${modelId} --display-name=first --machine-type=n1-standard-2 --min-replica-count=1 --traffic-split=0=100`,
    );
    const request = join(folder, "request.json");
    writeFileSync(request, '{"instances":[{"x":1}]}');
    const predicted = await gcloud(
      `ai endpoints predict ${endpointId} ${region} --json-request=${request} --format=json`,
    );
    expect(JSON.parse(predicted)).toMatchObject({
      modelDisplayName: "churn",
      predictions: [{ instance: { x: 1 }, model: 7 }],
    });
    const deployed = await gcloudJson(
      z.looseObject({ deployedModels: z.array(z.looseObject({ id: z.string() })) }),
      `ai endpoints describe ${endpointId} ${region}`,
    );
    const deployedId = deployed.deployedModels[0]?.id ?? "";
    await gcloud(
      `ai endpoints undeploy-model ${endpointId} ${region} --deployed-model-id=${deployedId}`,
    );
    const after = await gcloudJson(
      z.looseObject({ deployedModels: z.array(z.unknown()).optional() }),
      `ai endpoints describe ${endpointId} ${region}`,
    );
    expect(after.deployedModels ?? []).toEqual([]);
  });

  it("creates a custom job", async () => {
    const image = predictorImage;
    await gcloud(
      `ai custom-jobs create ${region} --display-name=training --worker-pool-spec=machine-type=n1-standard-4,replica-count=1,container-image-uri=${image}`,
    );
    const [job] = await gcloudJson(
      z.array(z.looseObject({ displayName: z.string(), state: z.string() })),
      `ai custom-jobs list ${region}`,
    );
    expect(job?.displayName).toBe("training");
    expect(job?.state).toMatch(/^JOB_STATE_/);
  });

  it("creates a Scheduler job and runs it now", async () => {
    await gcloud("pubsub topics create ticks");
    await gcloud("pubsub subscriptions create ticks --topic=ticks");
    await gcloud(
      `scheduler jobs create pubsub tick ${location} --topic=ticks --time-zone=Europe/Zurich --message-body=tick`,
      "--schedule=0 4 * * *",
    );
    await gcloud(`scheduler jobs run tick ${location}`);
    const subscription = `projects/${testProject}/subscriptions/ticks`;
    const message = await eventually("the tick", async () => {
      const reply = await fetch(`${cloud.address}/v1/${subscription}:pull`, {
        method: "POST",
        body: JSON.stringify({ maxMessages: 1, returnImmediately: true }),
      });
      const { receivedMessages } = z
        .object({
          receivedMessages: z
            .array(z.object({ message: z.object({ data: z.string() }) }))
            .optional(),
        })
        .parse(await reply.json());
      return receivedMessages?.[0]?.message;
    });
    expect(Buffer.from(message.data, "base64").toString()).toBe("tick");
  });

  it("writes a log entry and reads it back by a filter", async () => {
    await gcloud("logging write by-hand --severity=WARNING", "hello there");
    const [entry] = await gcloudJson(
      z.array(z.looseObject({ textPayload: z.string().optional() })),
      "logging read --limit=3",
      'logName:"by-hand" AND severity>=WARNING',
    );
    expect(entry).toMatchObject({ textPayload: "hello there", severity: "WARNING" });
  });

  it("turns a field's time to live on, lists it, and turns it off", async () => {
    const group = "--collection-group=journal";
    const list = async (): Promise<readonly unknown[]> =>
      gcloudJson(z.array(z.unknown()), `firestore fields ttls list ${group}`);
    await gcloud(`firestore fields ttls update expireAt ${group} --enable-ttl`);
    expect(await list()).toMatchObject([{ ttlConfig: { state: "ACTIVE" } }]);
    await gcloud(`firestore fields ttls update expireAt ${group} --disable-ttl`);
    expect(await list()).toEqual([]);
  });
});
