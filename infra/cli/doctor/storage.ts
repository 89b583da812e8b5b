/** Buckets, and the database with its indexes and times to live. */
import { z } from "zod";
import { auditBucketOf } from "../../../shared/gcp/config.js";
import { database } from "../../../shared/gcp/database.js";
import { templateUri } from "../../../shared/runtime/training-spec.js";
import {
  api,
  failed,
  getOne,
  last,
  listAll,
  ok,
  provisionAdvice,
  warning,
  type Check,
  type Finding,
  type Patient,
} from "./finding.js";

const bucketShape = z.looseObject({
  iamConfiguration: z
    .looseObject({
      uniformBucketLevelAccess: z.looseObject({ enabled: z.boolean().default(false) }).optional(),
      publicAccessPrevention: z.string().optional(),
    })
    .optional(),
  retentionPolicy: z
    .looseObject({
      retentionPeriod: z.coerce.number().default(0),
      isLocked: z.boolean().default(false),
    })
    .optional(),
});

type Bucket = z.infer<typeof bucketShape>;

const openBucket = (name: string, { iamConfiguration }: Bucket): readonly Finding[] => [
  ...(iamConfiguration?.uniformBucketLevelAccess?.enabled === true
    ? []
    : [
        failed(
          `gs://${name} has access lists per object`,
          `gcloud storage buckets update gs://${name} --uniform-bucket-level-access`,
        ),
      ]),
  ...(iamConfiguration?.publicAccessPrevention === "enforced"
    ? []
    : [
        failed(
          `gs://${name} could be made public`,
          `gcloud storage buckets update gs://${name} --public-access-prevention`,
        ),
      ]),
];

const buckets: Check = {
  name: "buckets",
  examine: async (patient) => {
    const { config } = patient;
    const base = `${api(patient, "storage")}/storage/v1/b`;
    const auditName = auditBucketOf(config);
    const template = templateUri(config.bucket).slice(`gs://${config.bucket}/`.length);
    const [artifacts, audit, found] = await Promise.all([
      getOne(patient, `${base}/${config.bucket}`, bucketShape),
      getOne(patient, `${base}/${auditName}`, bucketShape),
      getOne(patient, `${base}/${config.bucket}/o/${encodeURIComponent(template)}`, z.unknown()),
    ]);
    const findings: readonly Finding[] = [
      ...(artifacts === null
        ? [failed(`gs://${config.bucket} is missing`, provisionAdvice(patient))]
        : openBucket(config.bucket, artifacts)),
      ...(audit === null
        ? [failed(`gs://${auditName} is missing`, provisionAdvice(patient))]
        : openBucket(auditName, audit)),
      ...(audit !== null && (audit.retentionPolicy?.retentionPeriod ?? 0) === 0
        ? [
            failed(
              `gs://${auditName} keeps nothing: whoever may write there may rewrite the past`,
              provisionAdvice(patient),
            ),
          ]
        : []),
      ...(config.localCloud === undefined && audit?.retentionPolicy?.isLocked === false
        ? [
            warning(
              `the retention of gs://${auditName} is not locked`,
              `gcloud storage buckets update gs://${auditName} --lock-retention-period (cannot be undone)`,
            ),
          ]
        : []),
      ...(found === null
        ? [
            failed(
              `the pipeline template ${templateUri(config.bucket)} is missing: no run can be submitted`,
              `gcloud storage cp infra/pipelines/train.json ${templateUri(config.bucket)}`,
            ),
          ]
        : []),
    ];
    return findings.length === 0
      ? [ok("both buckets are closed, heads are kept, and the pipeline template is there")]
      : findings;
  },
};

const indexShape = z.looseObject({
  name: z.string(),
  state: z.string().default(""),
  fields: z
    .array(z.looseObject({ fieldPath: z.string(), order: z.string().default("") }))
    .default([]),
});

/** An index as one text; the document's name, which the service adds at the end, is left out. */
const indexText = (collection: string, fields: readonly (readonly [string, string])[]): string =>
  [
    collection,
    ...fields.flatMap(([path, order]) => (path === "__name__" ? [] : [`${path} ${order}`])),
  ].join(", ");

const collectionIn = (name: string): string => /collectionGroups\/([^/]+)/.exec(name)?.[1] ?? "";

const databaseUrl = (patient: Patient): string =>
  `${api(patient, "firestore")}/v1/projects/${patient.config.projectId}/databases/(default)`;

const indexFindings = async (patient: Patient): Promise<readonly Finding[]> => {
  const found = await listAll(patient, {
    url: `${databaseUrl(patient)}/collectionGroups/-/indexes`,
    items: "indexes",
    item: indexShape,
  });
  const known = new Map(
    found.map(({ name, state, fields }) => [
      indexText(
        collectionIn(name),
        fields.map(({ fieldPath, order }) => [fieldPath, order]),
      ),
      state,
    ]),
  );
  return Object.values(database.indexes).flatMap(({ collection, fields }): readonly Finding[] => {
    const text = indexText(
      collection,
      fields.map(({ path, order }) => [path, order]),
    );
    const state = known.get(text);
    if (state === undefined) {
      return [
        failed(`the index of ${text} is missing: queries will fail`, provisionAdvice(patient)),
      ];
    }
    return state === "READY"
      ? []
      : [warning(`the index of ${text} is ${state}`, "wait: it is built")];
  });
};

/** The database itself, and its indexes; the local Firestore needs none. */
export const databaseCheck: Check = {
  name: "database",
  examine: async (patient) => {
    const found = await getOne(
      patient,
      databaseUrl(patient),
      z.looseObject({
        type: z.string().default(""),
        pointInTimeRecoveryEnablement: z.string().default(""),
        deleteProtectionState: z.string().default(""),
      }),
    );
    if (found === null) return [failed("there is no database", provisionAdvice(patient))];
    const findings: readonly Finding[] = [
      ...(found.type === "FIRESTORE_NATIVE"
        ? []
        : [
            failed(
              `the database is ${found.type}, not Firestore in native mode`,
              "use another project: the mode of a database that was used cannot be changed",
            ),
          ]),
      ...(found.deleteProtectionState === "DELETE_PROTECTION_ENABLED"
        ? []
        : [warning("the database may be deleted by mistake", provisionAdvice(patient))]),
      ...(found.pointInTimeRecoveryEnablement === "POINT_IN_TIME_RECOVERY_ENABLED"
        ? []
        : [warning("the database keeps no earlier versions", provisionAdvice(patient))]),
      ...(await indexFindings(patient)),
    ];
    const count = Object.keys(database.indexes).length;
    return findings.length === 0
      ? [ok(`the database is protected and its ${count} indexes are ready`)]
      : findings;
  },
};

const expiry: Check = {
  name: "expiry",
  examine: async (patient) => {
    const found = await listAll(patient, {
      url: `${databaseUrl(patient)}/collectionGroups/-/fields`,
      items: "fields",
      item: z.looseObject({ name: z.string(), ttlConfig: z.looseObject({}).optional() }),
      query: { filter: "ttlConfig:*" },
    });
    const expiring = new Map(
      found.flatMap(({ name, ttlConfig }) =>
        ttlConfig === undefined ? [] : [[collectionIn(name), last(name)] as const],
      ),
    );
    const kept = Object.entries(database.expiring).filter(
      ([collection, field]) => expiring.get(collection) !== field,
    );
    return kept.length === 0
      ? [ok(`${Object.keys(database.expiring).join(" and ")} expire`)]
      : kept.map(([collection]) =>
          failed(`the documents of ${collection} are kept for ever`, provisionAdvice(patient)),
        );
  },
};

/** What keeps things, and for how long. */
export const storageChecks: readonly Check[] = [buckets, expiry];
