/** What only Google Cloud has: APIs to switch on, services, identities and their grants, quotas. */
import { z } from "zod";
import { functions } from "../../../functions/manifest.js";
import { locationName } from "../../../shared/gcp/config.js";
import { deadLetterTopic } from "../../../shared/gcp/topology.js";
import {
  api,
  failed,
  getOne,
  last,
  listAll,
  ok,
  policyShape,
  provisionAdvice,
  skipped,
  type Check,
  type Finding,
  type Patient,
} from "./finding.js";
import { databaseCheck } from "./storage.js";

/** The APIs that Continuo calls while it runs. */
export const neededApis: readonly string[] = [
  "aiplatform.googleapis.com",
  "artifactregistry.googleapis.com",
  "cloudscheduler.googleapis.com",
  "firestore.googleapis.com",
  "iam.googleapis.com",
  "iamcredentials.googleapis.com",
  "logging.googleapis.com",
  "monitoring.googleapis.com",
  "pubsub.googleapis.com",
  "run.googleapis.com",
  "storage.googleapis.com",
];

const enabledApis: Check = {
  name: "APIs",
  examine: async (patient) => {
    const { projectId } = patient.config;
    const found = await listAll(patient, {
      url: `${api(patient, "serviceusage")}/v1/projects/${projectId}/services`,
      items: "services",
      item: z.looseObject({ name: z.string() }),
      query: { filter: "state:ENABLED", pageSize: 200 },
    });
    const enabled = new Set(found.map(({ name }) => last(name)));
    const missing = neededApis.filter((name) => !enabled.has(name));
    return missing.length === 0
      ? [ok(`all ${neededApis.length} APIs are switched on`)]
      : missing.map((name) =>
          failed(
            `${name} is switched off`,
            `gcloud services enable ${name} --project=${projectId}`,
          ),
        );
  },
};

type Policy = z.infer<typeof policyShape>;

const rolesOf = ({ bindings }: Policy, member: string): readonly string[] =>
  bindings.filter(({ members }) => members.includes(member)).map(({ role }) => role);

const serviceShape = z.looseObject({
  ingress: z.string().default(""),
  template: z
    .looseObject({
      serviceAccount: z.string().default(""),
      timeout: z.string().default(""),
      maxInstanceRequestConcurrency: z.number().default(0),
      scaling: z
        .looseObject({
          minInstanceCount: z.number().default(0),
          maxInstanceCount: z.number().default(0),
        })
        .default({ minInstanceCount: 0, maxInstanceCount: 0 }),
      containers: z
        .array(
          z.looseObject({
            image: z.string().default(""),
            resources: z
              .looseObject({ limits: z.record(z.string(), z.string()).default({}) })
              .optional(),
            env: z.array(z.looseObject({ name: z.string() })).default([]),
          }),
        )
        .default([]),
    })
    .default({
      serviceAccount: "",
      timeout: "",
      maxInstanceRequestConcurrency: 0,
      scaling: { minInstanceCount: 0, maxInstanceCount: 0 },
      containers: [],
    }),
  trafficStatuses: z.array(z.looseObject({ percent: z.number().default(0) })).default([]),
  terminalCondition: z
    .looseObject({ state: z.string().default(""), message: z.string().default("") })
    .optional(),
});

/** A Cloud Run service as its REST API (v2) shows it. */
export type FoundService = z.infer<typeof serviceShape>;

type FunctionSpec = (typeof functions)[number];

const memoryMib = (limit: string): number => {
  const [, amount = "0", unit = ""] = /^(\d+)(Mi|Gi|M|G)?$/.exec(limit) ?? [];
  return Number(amount) * (unit.startsWith("G") ? 1024 : 1);
};

const cpuCount = (limit: string): number =>
  limit.endsWith("m") ? Number(limit.slice(0, -1)) / 1000 : Number(limit);

/** What of a service is not as the list of functions wants it, a phrase each. */
export const serviceProblems = (spec: FunctionSpec, service: FoundService): readonly string[] => {
  const { template, ingress, terminalCondition } = service;
  const { minInstanceCount, maxInstanceCount } = template.scaling;
  const [container] = template.containers;
  const given = new Set(container?.env.map(({ name }) => name));
  const missing = spec.environment.filter((name) => !given.has(name));
  const { memory = "", cpu = "" } = container?.resources?.limits ?? {};
  const problems: readonly (string | false)[] = [
    terminalCondition !== undefined &&
      terminalCondition.state !== "CONDITION_SUCCEEDED" &&
      `is not ready: ${terminalCondition.message}`,
    "topic" in spec.trigger &&
      ingress !== "INGRESS_TRAFFIC_INTERNAL_ONLY" &&
      `can be reached from outside (${ingress})`,
    !template.serviceAccount.startsWith(`${spec.identity}@`) &&
      `runs as ${template.serviceAccount}, not as ${spec.identity}`,
    container?.image.includes("@sha256:") !== true && "runs an image that is not named by digest",
    template.timeout !== `${spec.timeoutSeconds}s` &&
      `may take ${template.timeout}, not ${spec.timeoutSeconds}s`,
    template.maxInstanceRequestConcurrency !== spec.concurrency &&
      `takes ${template.maxInstanceRequestConcurrency} requests at once, not ${spec.concurrency}`,
    (minInstanceCount !== spec.instancesMin || maxInstanceCount !== spec.instancesMax) &&
      `has ${minInstanceCount} to ${maxInstanceCount} instances, not ${spec.instancesMin} to ${spec.instancesMax}`,
    cpuCount(cpu) !== spec.cpu && `has ${cpu} CPUs, not ${spec.cpu}`,
    memoryMib(memory) !== spec.memoryMib && `has ${memory} of memory, not ${spec.memoryMib}Mi`,
    missing.length > 0 && `lacks the variables ${missing.join(", ")}`,
  ];
  return problems.filter((problem): problem is string => problem !== false);
};

const everybody = new Set(["allUsers", "allAuthenticatedUsers"]);

const services: Check = {
  name: "services",
  examine: async (patient) => {
    const base = `${api(patient, "run")}/v2/${locationName(patient.config)}/services`;
    const findings = await Promise.all(
      functions.map(async (spec): Promise<readonly Finding[]> => {
        const url = `${base}/continuo-${spec.name}`;
        const service = await getOne(patient, url, serviceShape);
        if (service === null) {
          return [failed(`service continuo-${spec.name} is missing`, provisionAdvice(patient))];
        }
        const policy = await getOne(patient, `${url}:getIamPolicy`, policyShape);
        const open = (policy?.bindings ?? []).some(({ members }) =>
          members.some((member) => everybody.has(member)),
        );
        return [...serviceProblems(spec, service), ...(open ? ["may be called by anybody"] : [])]
          .map((problem) =>
            failed(`service continuo-${spec.name} ${problem}`, provisionAdvice(patient)),
          )
          .concat(
            service.trafficStatuses.some(({ percent }) => percent === 100)
              ? []
              : failed(
                  `service continuo-${spec.name} splits its traffic between revisions: a release stopped half-way, or somebody set it by hand`,
                  `gcloud run services update-traffic continuo-${spec.name} --to-revisions=REVISION=100 --region=${patient.config.region}, then release again`,
                ),
          );
      }),
    );
    return findings.flat().length === 0
      ? [ok(`all ${functions.length} services run by digest, as themselves, closed to others`)]
      : findings.flat();
  },
};

const basicRoles = new Set(["roles/owner", "roles/editor", "roles/viewer"]);
const isProjectWide = (permission: string): boolean =>
  !/^(?:pubsub|storage|iam)\./.test(permission);

const grantsOf = async (
  patient: Patient,
  spec: FunctionSpec,
  policy: Policy,
): Promise<readonly Finding[]> => {
  const { projectId } = patient.config;
  const member = `serviceAccount:${spec.identity}@${projectId}.iam.gserviceaccount.com`;
  const held = rolesOf(policy, member);
  const needed = spec.permissions.filter(isProjectWide);
  const custom = `projects/${projectId}/roles/continuo_${spec.name.replaceAll("-", "_")}`;
  const tooMuch = held
    .filter((role) => basicRoles.has(role))
    .map((role) =>
      failed(
        `${spec.identity} holds ${role}`,
        `gcloud projects remove-iam-policy-binding ${projectId} --member=${member} --role=${role}`,
      ),
    );
  if (needed.length === 0) return tooMuch;
  const role = await getOne(
    patient,
    `${api(patient, "iam")}/v1/${custom}`,
    z.looseObject({ includedPermissions: z.array(z.string()).default([]) }),
  );
  const missing = needed.filter((one) => role?.includedPermissions.includes(one) !== true);
  return [
    ...tooMuch,
    ...(held.includes(custom)
      ? []
      : [failed(`${spec.identity} does not hold its role`, provisionAdvice(patient))]),
    ...(missing.length === 0
      ? []
      : [
          failed(
            `the role of ${spec.identity} lacks ${missing.join(", ")}`,
            provisionAdvice(patient),
          ),
        ]),
  ];
};

const grants: Check = {
  name: "grants",
  examine: async (patient) => {
    const { projectId } = patient.config;
    const projects = `${api(patient, "cloudresourcemanager")}/v1/projects/${projectId}`;
    const project = await getOne(patient, projects, z.looseObject({ projectNumber: z.string() }));
    if (project === null) {
      return [failed(`there is no project ${projectId}`, "check --project")];
    }
    const policy = policyShape.parse(
      await patient.rest.json({ method: "POST", url: `${projects}:getIamPolicy`, body: {} }),
    );
    const agent = `serviceAccount:service-${project.projectNumber}@gcp-sa-pubsub.iam.gserviceaccount.com`;
    const lacks = async (resource: string, role: string): Promise<boolean> => {
      const url = `${api(patient, "pubsub")}/v1/projects/${projectId}/${resource}:getIamPolicy`;
      const found = await getOne(patient, url, policyShape);
      return found === null || !rolesOf(found, agent).includes(role);
    };
    const isUnheard = await lacks(`topics/${deadLetterTopic}`, "roles/pubsub.publisher");
    const keeping = functions.filter(
      ({ trigger }) => "topic" in trigger && trigger.topic !== deadLetterTopic,
    );
    const stuck = await Promise.all(
      keeping.map(async ({ name }) =>
        (await lacks(`subscriptions/${name}`, "roles/pubsub.subscriber")) ? [name] : [],
      ),
    );
    const findings = await Promise.all(functions.map((spec) => grantsOf(patient, spec, policy)));
    const all = [
      ...findings.flat(),
      ...(isUnheard
        ? [
            failed(
              "Pub/Sub's service agent may not publish dead letters: they would be tried for ever",
              provisionAdvice(patient),
            ),
          ]
        : []),
      ...stuck
        .flat()
        .map((name) =>
          failed(
            `Pub/Sub's service agent may not take dead letters from subscription ${name}: they would be tried for ever`,
            provisionAdvice(patient),
          ),
        ),
    ];
    return all.length === 0
      ? [ok(`all ${functions.length} identities hold what they call, and no basic role`)]
      : all;
  },
};

const quotaShape = z.looseObject({
  metric: z.string().default(""),
  dimensionsInfos: z
    .array(
      z.looseObject({
        applicableLocations: z.array(z.string()).default([]),
        details: z.looseObject({ value: z.string().optional() }).default({}),
      }),
    )
    .default([]),
});

const trainingQuota = "aiplatform.googleapis.com/custom_model_training_";

const quotas: Check = {
  name: "quotas",
  examine: async (patient) => {
    const { projectId, region } = patient.config;
    const found = await listAll(patient, {
      url: `${api(patient, "cloudquotas")}/v1/projects/${projectId}/locations/global/services/aiplatform.googleapis.com/quotaInfos`,
      items: "quotaInfos",
      item: quotaShape,
      query: { pageSize: 500 },
    });
    const limits = found.flatMap(({ metric, dimensionsInfos }) =>
      metric.startsWith(trainingQuota)
        ? dimensionsInfos
            .filter(({ applicableLocations }) => applicableLocations.includes(region))
            .map(({ details }) => ({
              name: metric.slice(trainingQuota.length),
              limit: Number(details.value ?? 0),
            }))
        : [],
    );
    const usable = limits.filter(({ limit }) => limit !== 0);
    if (limits.length === 0) return [skipped(`no training quota is told for ${region}`)];
    return usable.length === 0
      ? [
          failed(
            `every quota of custom training is 0 in ${region}: no job can start`,
            "ask for more under IAM and admin > Quotas in the Cloud console",
          ),
        ]
      : [
          ok(
            `custom training in ${region}: ${usable.map(({ name, limit }) => `${name} ${limit < 0 ? "unlimited" : limit}`).join(", ")}`,
          ),
        ];
  },
};

/** What the doctor looks at on Google Cloud alone. */
export const googleChecks: readonly Check[] = [
  enabledApis,
  services,
  grants,
  databaseCheck,
  quotas,
];
