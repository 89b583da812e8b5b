/** Turns a CreatePipelineJob request into a job, or refuses it with the reason. */
import { createHash } from "node:crypto";
import { parseAllDocuments } from "yaml";
import type { CloudContext } from "../../cloud.js";
import { RpcError } from "../../protocol/service.js";
import { checkLabels } from "../jobs/labels.js";
import { jsonOfValue, type Labels, type ProtoValue } from "../messages.js";
import { generateId, locationName } from "../names.js";
import { gcsPlace } from "./artifacts.js";
import { checkPipelineSpec } from "./check-spec.js";
import { completeInputs } from "./inputs.js";
import type { PipelineSpec } from "./spec.js";
import type { StoredJob } from "./store.js";
import { idOf } from "./task-records.js";
import { ValueError } from "./values.js";

/** google.cloud.aiplatform.v1.PipelineJob, as far as a caller may fill it. */
interface PipelineJobRequest {
  readonly displayName?: string;
  readonly pipelineSpec?: { readonly fields?: Readonly<Record<string, ProtoValue>> };
  readonly labels?: Labels;
  readonly runtimeConfig?: {
    readonly parameters?: Readonly<Record<string, unknown>>;
    readonly gcsOutputDirectory?: string;
    readonly parameterValues?: Readonly<Record<string, ProtoValue>>;
    readonly failurePolicy?: string;
    readonly inputArtifacts?: Readonly<Record<string, unknown>>;
  };
  readonly encryptionSpec?: unknown;
  readonly serviceAccount?: string;
  readonly network?: string;
  readonly reservedIpRanges?: readonly string[];
  readonly pscInterfaceConfig?: unknown;
  readonly templateUri?: string;
}

/** google.cloud.aiplatform.v1.CreatePipelineJobRequest. */
export interface CreatePipelineJobRequest {
  readonly parent?: string;
  readonly pipelineJob?: PipelineJobRequest;
  readonly pipelineJobId?: string;
}

const displayNameCharsMax = 128;
const templateBytesMax = 4_194_304;

const invalid = (message: string, options?: ErrorOptions): RpcError =>
  new RpcError("INVALID_ARGUMENT", message, options);

const jobIdOf = (given: string | undefined): string => {
  if (given === undefined || given === "") return generateId();
  if (!/^[a-z][a-z0-9-]{0,126}$/.test(given)) {
    throw invalid(
      `Pipeline job id "${given}" is not valid: it starts with a lower-case letter and has fewer than 128 lower-case letters, digits and hyphens.`,
    );
  }
  return given;
};

const refuseUnsupported = (request: PipelineJobRequest): void => {
  const unsupported = {
    encryptionSpec: request.encryptionSpec,
    pscInterfaceConfig: request.pscInterfaceConfig,
    reservedIpRanges: request.reservedIpRanges?.length ? request.reservedIpRanges : undefined,
    "runtimeConfig.inputArtifacts":
      Object.keys(request.runtimeConfig?.inputArtifacts ?? {}).length > 0 ? true : undefined,
    "runtimeConfig.parameters":
      Object.keys(request.runtimeConfig?.parameters ?? {}).length > 0 ? true : undefined,
  };
  for (const [field, value] of Object.entries(unsupported)) {
    if (value !== undefined && value !== null) {
      throw new RpcError(
        "UNIMPLEMENTED",
        `pipelineJob.${field} is not implemented here: leave it out.`,
      );
    }
  }
};

interface Template {
  readonly spec: unknown;
  readonly version?: string;
}

const parseTemplate = (text: string, uri: string): unknown => {
  const documents = parseAllDocuments(text);
  const [first, ...others] = Array.isArray(documents) ? documents : [];
  if (first === undefined) throw invalid(`The pipeline template ${uri} is empty.`);
  const [error] = first.errors;
  if (error !== undefined) {
    throw invalid(`The pipeline template ${uri} is not valid YAML: ${error.message}`, {
      cause: error,
    });
  }
  if (others.length > 0) {
    throw new RpcError(
      "UNIMPLEMENTED",
      `The pipeline template ${uri} has a platform spec, which is not implemented here: compile without platform-specific options.`,
    );
  }
  return first.toJS();
};

const readTemplate = async (context: CloudContext, uri: string): Promise<Template> => {
  const place = gcsPlace(uri);
  if (place === undefined) {
    throw new RpcError(
      "UNIMPLEMENTED",
      `Template "${uri}" cannot be read here: only gs://bucket/template.yaml is implemented.`,
    );
  }
  let body: Buffer;
  try {
    body = await context.services.storage.read(place.bucket, place.name);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw invalid(`The pipeline template ${uri} cannot be read: ${reason}`, { cause });
  }
  if (body.length > templateBytesMax) {
    throw invalid(`The pipeline template ${uri} is larger than ${templateBytesMax} bytes.`);
  }
  return {
    spec: parseTemplate(body.toString("utf8"), uri),
    version: `sha256:${createHash("sha256").update(body).digest("hex")}`,
  };
};

const templateOf = async (
  context: CloudContext,
  request: PipelineJobRequest,
): Promise<Template> => {
  const inline = request.pipelineSpec?.fields;
  if (inline !== undefined && Object.keys(inline).length > 0) {
    return { spec: jsonOfValue({ structValue: { fields: inline } }) };
  }
  if (request.templateUri !== undefined && request.templateUri !== "") {
    return readTemplate(context, request.templateUri);
  }
  throw invalid("The pipeline job has neither a pipelineSpec nor a templateUri: give one of them.");
};

const parametersOf = (
  spec: PipelineSpec,
  given: Readonly<Record<string, ProtoValue>>,
): Readonly<Record<string, unknown>> => {
  const declared = spec.root.inputDefinitions?.parameters ?? {};
  const values: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(given)) {
    if (!Object.hasOwn(declared, name)) {
      throw invalid(
        `Parameter "${name}" is not an input of pipeline ${spec.pipelineInfo.name}: it has ${Object.keys(declared).join(", ") || "none"}.`,
      );
    }
    const json = jsonOfValue(value);
    if (json !== null) values[name] = json;
  }
  return values;
};

const checkParameters = (
  spec: PipelineSpec,
  parameters: Readonly<Record<string, unknown>>,
): void => {
  try {
    completeInputs(spec.root, { parameters, artifacts: {} });
  } catch (error) {
    if (!(error instanceof ValueError)) throw error;
    throw invalid(`Pipeline ${spec.pipelineInfo.name}: ${error.message}.`, { cause: error });
  }
};

const rootOf = (request: PipelineJobRequest, spec: PipelineSpec): string => {
  const root = request.runtimeConfig?.gcsOutputDirectory || spec.defaultPipelineRoot || "";
  if (gcsPlace(root)?.bucket === undefined || root === "gs://") {
    throw invalid(
      `runtimeConfig.gcsOutputDirectory is "${root}": give the gs://bucket/folder for the pipeline's artifacts.`,
    );
  }
  return root.replace(/\/+$/, "");
};

const text = (name: string, value: string | undefined): Readonly<Record<string, string>> =>
  value === undefined || value === "" ? {} : { [name]: value };

/** Reads and checks a submission. */
export const readSubmission = async (
  context: CloudContext,
  request: CreatePipelineJobRequest,
): Promise<StoredJob> => {
  const id = jobIdOf(request.pipelineJobId);
  const given = request.pipelineJob;
  if (given === undefined) throw invalid("The request has no pipelineJob.");
  refuseUnsupported(given);
  const template = await templateOf(context, given);
  const spec = checkPipelineSpec(template.spec);
  const parameters = parametersOf(spec, given.runtimeConfig?.parameterValues ?? {});
  checkParameters(spec, parameters);
  const displayName = given.displayName || spec.pipelineInfo.displayName || spec.pipelineInfo.name;
  if (displayName.length > displayNameCharsMax) {
    throw invalid(`The display name is longer than ${displayNameCharsMax} characters.`);
  }
  const now = context.now();
  const name = `${locationName(context.settings)}/pipelineJobs/${id}`;
  const uuid = idOf(name, String(now));
  return {
    id,
    name,
    uuid,
    displayName,
    labels: { ...checkLabels(given.labels), "vertex-ai-pipelines-run-billing-id": uuid },
    pipelineName: spec.pipelineInfo.name,
    spec,
    parameters,
    pipelineRoot: rootOf(given, spec),
    ...text("failurePolicy", given.runtimeConfig?.failurePolicy),
    serviceAccount:
      given.serviceAccount ||
      `${context.settings.projectNumber}-compute@developer.gserviceaccount.com`,
    ...text("network", given.network),
    ...text("templateUri", given.templateUri),
    ...text("templateVersion", template.version),
    state: "PENDING",
    createMs: now,
    updateMs: now,
    unlogged: [{ state: "PENDING", atMs: now }],
  };
};
