/** Vertex AI Model Registry in memory: uploads that take time, aliases that belong to one version. */
import {
  modelVersionId,
  runId,
  type ModelName,
  type ModelVersionId,
  type RunId,
} from "../../../events/ids.js";
import { RejectedError } from "../../../shared/domain/errors.js";
import type { ModelVersionFacts } from "../../../shared/domain/facts.js";
import type { Registry } from "../../../shared/ports/vertex.js";
import { randomOf } from "../random.js";
import {
  ownPrincipal,
  personPrincipal,
  tellAliases,
  tellUpload,
  type CloudContext,
} from "./context.js";
import { staleReads } from "./stale-reads.js";

/** One version. */
export interface Version {
  readonly id: ModelVersionId;
  readonly model: ModelName;
  readonly artifactUri: string;
  readonly artifactDigest: string;
  readonly image: string;
  readonly by: string;
  /** The run that it was made by; null for a person's. */
  readonly run: RunId | null;
  aliases: readonly string[];
}

/** The Registry port, what people do behind its back, and what a check may look at. */
export interface ModelRegistry {
  readonly port: Registry;
  readonly versions: (model: ModelName) => readonly Version[];
  readonly version: (model: ModelName, id: string) => Version | undefined;
  readonly uploadsRunning: () => number;
  /** A person uploads a version of their own. */
  readonly uploadByHand: (model: ModelName, name: string) => void;
  readonly setAliasesByHand: (
    model: ModelName,
    id: ModelVersionId,
    aliases: readonly string[],
  ) => void;
  /** Versions that a person gave this alias, in order. */
  readonly byHand: readonly {
    readonly model: ModelName;
    readonly id: ModelVersionId;
    readonly aliases: readonly string[];
    readonly atMs: number;
  }[];
}

const uploadMsMax = 90_000;

/** Makes an empty registry. */
export const modelRegistry = (context: CloudContext): ModelRegistry => {
  const { seed, scheduler, trace, profile } = context;
  const models = new Map<ModelName, Version[]>();
  const uploads = new Map<string, ModelName>();
  const attempts = new Map<string, number>();
  /** Versions made so far: the id of one that was removed is not used again. */
  const made = new Map<ModelName, number>();
  const byHand: ModelRegistry["byHand"][number][] = [];
  const reads = staleReads<string, ModelVersionFacts | null>(context, "a version");
  let changes = 0;

  const versionsOf = (model: ModelName): Version[] => models.get(model) ?? [];
  const find = (model: ModelName, wanted: string): Version | undefined =>
    versionsOf(model).find(({ id, aliases }) => id === wanted || aliases.includes(wanted));

  const factsOf = (version: Version): ModelVersionFacts => ({
    versionId: version.id,
    aliases: version.aliases,
    artifactUri: version.artifactUri,
    artifactDigest: version.artifactDigest,
    servingImage: version.image,
  });

  const refresh = (model: ModelName): void => {
    const names = new Set(versionsOf(model).flatMap(({ id, aliases }) => [id, ...aliases]));
    for (const name of names) {
      const version = find(model, name);
      reads.changed(`${model}@${name}`, version === undefined ? null : factsOf(version));
    }
  };

  const add = (model: ModelName, version: Omit<Version, "id" | "model">): void => {
    const last = made.get(model) ?? 0;
    made.set(model, last + 1);
    const id = modelVersionId.parse(String(last + 1));
    models.set(model, [...versionsOf(model), { ...version, id, model }]);
    refresh(model);
    tellUpload(context, { model, id, by: version.by });
  };

  const merge = (
    model: ModelName,
    id: string,
    changesOfAliases: readonly string[],
    by: string,
  ): void => {
    const version = versionsOf(model).find((known) => known.id === id);
    if (version === undefined) throw new RejectedError(`version ${model}@${id} does not exist`);
    const removed = changesOfAliases.filter((alias) => alias.startsWith("-"));
    const added = changesOfAliases.filter((alias) => !alias.startsWith("-"));
    const before = JSON.stringify(versionsOf(model).map(({ aliases }) => aliases));
    for (const other of versionsOf(model)) {
      const kept = other.aliases.filter(
        (alias) => !added.includes(alias) && !(other === version && removed.includes(`-${alias}`)),
      );
      if (other !== version) {
        for (const alias of other.aliases) {
          if (!kept.includes(alias)) reads.changed(`${model}@${alias}`, null);
        }
      }
      other.aliases = other === version ? [...kept, ...added] : kept;
    }
    for (const alias of removed) {
      const name = alias.slice(1);
      if (find(model, name) === undefined) reads.changed(`${model}@${name}`, null);
    }
    refresh(model);
    changes += 1;
    if (before !== JSON.stringify(versionsOf(model).map(({ aliases }) => aliases))) {
      trace.line(() => `cloud aliases ${model}@${id} ${changesOfAliases.join(" ")} by ${by}`);
    }
    tellAliases(context, { model, id, aliases: changesOfAliases, by, count: changes });
  };

  return {
    versions: versionsOf,
    version: find,
    uploadsRunning: () => uploads.size,
    byHand,
    uploadByHand: (model, name) => {
      trace.count("version uploaded by hand");
      add(model, {
        artifactUri: `gs://demo-bucket/by-hand/${name}`,
        artifactDigest: `sha256:${name}`,
        image: "continuo/predictor",
        by: personPrincipal,
        run: null,
        aliases: [],
      });
    },
    setAliasesByHand: (model, id, aliases) => {
      trace.count("alias moved by hand");
      byHand.push({ model, id, aliases, atMs: scheduler.nowMs() });
      merge(model, id, aliases, personPrincipal);
    },
    port: {
      upload: async (upload) => {
        const { model, alias } = upload;
        const attempt = (attempts.get(alias) ?? 0) + 1;
        attempts.set(alias, attempt);
        const random = randomOf(seed, `upload/${alias}/${attempt}`);
        const operation = `${alias}/${attempt}`;
        uploads.set(operation, model);
        scheduler.after(random.between(1000, uploadMsMax), () => {
          uploads.delete(operation);
          if (random.chance(profile().lateFailure)) {
            trace.count("late failure");
            trace.line(() => `cloud upload ${alias} failed`);
            return;
          }
          trace.line(() => `cloud upload ${alias} ended`);
          const run = runId.parse(upload.labels["continuo-run"]);
          if (versionsOf(model).some((version) => version.run === run)) {
            trace.count("version uploaded twice");
          }
          for (const other of versionsOf(model)) {
            other.aliases = other.aliases.filter((known) => known !== alias);
          }
          add(model, {
            artifactUri: upload.artifactUri,
            artifactDigest: upload.artifactDigest,
            image: upload.image,
            by: ownPrincipal,
            run,
            aliases: [alias, ...(versionsOf(model).length === 0 ? ["default"] : [])],
          });
        });
      },
      remove: async (model, id) => {
        const removed = versionsOf(model).find((version) => version.id === id);
        if (removed === undefined || removed.aliases.length > 0) return;
        const rest = versionsOf(model).filter((version) => version !== removed);
        models.set(model, rest);
        for (const name of [id, ...removed.aliases]) {
          if (find(model, name) === undefined) reads.changed(`${model}@${name}`, null);
        }
        trace.line(() => `cloud removed version ${model}@${id}`);
      },
      uploading: async (model) =>
        [...uploads].find(([, uploaded]) => uploaded === model)?.[0] ?? null,
      version: async (model, aliasOrId) => reads.read(`${model}@${aliasOrId}`) ?? null,
      uploads: async (model) =>
        versionsOf(model).flatMap(({ id, run }) => {
          const found = run === null ? null : reads.read(`${model}@${id}`);
          return run === null || !found ? [] : [{ ...found, run }];
        }),
      setAliases: async (model, id, aliases) => merge(model, id, aliases, ownPrincipal),
      importEvaluation: async (model, id, { name }) => {
        if (find(model, id) === undefined) {
          throw new RejectedError(`version ${model}@${id} does not exist`);
        }
        trace.line(() => `cloud evaluation ${name} of ${model}@${id}`);
      },
    },
  };
};
