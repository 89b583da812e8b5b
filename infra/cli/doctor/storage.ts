/** Buckets, and the database's indexes. */
import { z } from "zod";
import { auditBucketOf } from "../../../shared/gcp/config.js";
import { templateUri } from "../../../shared/runtime/training-spec.js";
import {
  api,
  failed,
  getOne,
  last,
  listAll,
  ok,
  provisionAdvice,
  skipped,
  warning,
  type Check,
  type Finding,
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

const database: Check = {
  name: "database",
  examine: async (patient) => {
    const { projectId, localCloud } = patient.config;
    if (localCloud !== undefined) {
      return [skipped("the local Firestore needs no indexes and no backups")];
    }
    const url = `${api(patient, "firestore")}/v1/projects/${projectId}/databases/(default)`;
    const found = await getOne(
      patient,
      url,
      z.looseObject({
        type: z.string().default(""),
        pointInTimeRecoveryEnablement: z.string().default(""),
        deleteProtectionState: z.string().default(""),
      }),
    );
    if (found === null) return [failed("there is no database", provisionAdvice(patient))];
    const indexes = await listAll(patient, {
      url: `${url}/collectionGroups/-/indexes`,
      items: "indexes",
      item: z.looseObject({ name: z.string(), state: z.string().default("") }),
    });
    const building = indexes.filter(({ state }) => state !== "READY");
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
      ...(indexes.length === 0
        ? [
            failed(
              "the database has no composite index: queries will fail",
              provisionAdvice(patient),
            ),
          ]
        : []),
      ...building.map(({ name, state }) =>
        warning(`index ${last(name)} is ${state}`, "wait: it is built"),
      ),
    ];
    return findings.length === 0
      ? [ok(`the database is protected and its ${indexes.length} indexes are ready`)]
      : findings;
  },
};

/** What keeps things. */
export const storageChecks: readonly Check[] = [buckets, database];
