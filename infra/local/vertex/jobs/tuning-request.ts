/** Checks a HyperparameterTuningJob before it is accepted. */
import { RpcError } from "../../protocol/service.js";
import type { Labels } from "../messages.js";
import { checkCustomJob, type CustomJobSpec } from "./custom-request.js";
import { checkDisplayName, invalid, refuseFields } from "./resource-checks.js";

/** google.cloud.aiplatform.v1.StudySpec.ParameterSpec. */
export interface ParameterSpec {
  readonly parameterId?: string;
  readonly doubleValueSpec?: { readonly minValue?: number; readonly maxValue?: number };
  readonly integerValueSpec?: { readonly minValue?: string; readonly maxValue?: string };
  readonly categoricalValueSpec?: { readonly values?: readonly string[] };
  readonly discreteValueSpec?: { readonly values?: readonly number[] };
  readonly scaleType?: string;
  readonly conditionalParameterSpecs?: readonly unknown[];
}

/** google.cloud.aiplatform.v1.StudySpec. */
export interface StudySpec {
  readonly metrics?: readonly { readonly metricId?: string; readonly goal?: string }[];
  readonly parameters?: readonly ParameterSpec[];
  readonly algorithm?: string;
}

/** What the caller asks for. */
export interface TuningRequest {
  readonly studySpec: StudySpec;
  readonly maxTrialCount: number;
  readonly parallelTrialCount: number;
  readonly maxFailedTrialCount: number;
  readonly trialJobSpec: CustomJobSpec;
}

/** google.cloud.aiplatform.v1.HyperparameterTuningJob. */
export type TuningMessage = Partial<TuningRequest> & {
  readonly displayName?: string;
  readonly labels?: Labels;
  readonly encryptionSpec?: unknown;
};

const trialsMax = 1000;
const parallelMax = 100;

const checkParameter = (parameter: ParameterSpec, at: string, isGrid: boolean): void => {
  if (!/^[A-Za-z][A-Za-z0-9_-]*$/.test(parameter.parameterId ?? "")) {
    throw invalid(`${at}.parameterId "${parameter.parameterId ?? ""}" is not a name.`);
  }
  refuseFields(at, { conditionalParameterSpecs: parameter.conditionalParameterSpecs });
  const { doubleValueSpec, integerValueSpec, categoricalValueSpec, discreteValueSpec } = parameter;
  const range = doubleValueSpec ?? integerValueSpec;
  const values = categoricalValueSpec?.values ?? discreteValueSpec?.values;
  if (range !== undefined) {
    const [min, max] = [Number(range.minValue ?? 0), Number(range.maxValue ?? 0)];
    if (!(min <= max)) throw invalid(`${at}: minValue ${min} is greater than maxValue ${max}.`);
    if (/LOG/.test(parameter.scaleType ?? "") && !(min > 0)) {
      throw invalid(`${at}: a logarithmic scale needs a minValue above 0.`);
    }
    if (isGrid && doubleValueSpec !== undefined) {
      throw invalid(`${at}: a grid has no double parameters; give discrete values.`);
    }
  } else if (values === undefined || values.length === 0) {
    throw invalid(`${at} needs one of the value specs, with at least one value.`);
  }
};

/** Checks the job and returns what to do. */
export const checkTuningJob = (
  job: TuningMessage | undefined,
): { readonly displayName: string; readonly request: TuningRequest } => {
  if (job === undefined) throw invalid("The request has no hyperparameterTuningJob.");
  const displayName = checkDisplayName(job.displayName);
  refuseFields("hyperparameterTuningJob", { encryptionSpec: job.encryptionSpec });
  const studySpec = job.studySpec ?? {};
  const { metrics = [], parameters = [], algorithm, ...others } = studySpec;
  refuseFields("studySpec", others);
  const isGrid = algorithm === "GRID_SEARCH";
  if (metrics.length === 0) throw invalid("studySpec.metrics is empty.");
  for (const { metricId, goal } of metrics) {
    if (!metricId || !["MAXIMIZE", "MINIMIZE"].includes(goal ?? "")) {
      throw invalid(`studySpec.metrics: "${metricId ?? ""}" needs an id and a goal.`);
    }
  }
  if (parameters.length === 0) throw invalid("studySpec.parameters is empty.");
  for (const [index, parameter] of parameters.entries()) {
    checkParameter(parameter, `studySpec.parameters[${index}]`, isGrid);
  }
  const { maxTrialCount = 0, parallelTrialCount = 0, maxFailedTrialCount = 0 } = job;
  if (maxTrialCount < 1 || maxTrialCount > trialsMax) {
    throw invalid(`maxTrialCount is ${maxTrialCount}: give 1 to ${trialsMax}.`);
  }
  if (parallelTrialCount < 1 || parallelTrialCount > parallelMax) {
    throw invalid(`parallelTrialCount is ${parallelTrialCount}: give 1 to ${parallelMax}.`);
  }
  if (maxFailedTrialCount < 0 || maxFailedTrialCount > maxTrialCount) {
    throw new RpcError("INVALID_ARGUMENT", "maxFailedTrialCount must be 0 to maxTrialCount.");
  }
  const { spec: trialJobSpec } = checkCustomJob({
    displayName,
    ...(job.trialJobSpec === undefined ? {} : { jobSpec: job.trialJobSpec }),
  });
  return {
    displayName,
    request: { studySpec, maxTrialCount, parallelTrialCount, maxFailedTrialCount, trialJobSpec },
  };
};
