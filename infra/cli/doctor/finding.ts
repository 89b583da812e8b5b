/** What the doctor found, and how a check is asked for it. */
import { z } from "zod";
import { CloudError } from "../../../shared/gcp/errors.js";
import { baseUrl, type GcpConfig } from "../../../shared/gcp/config.js";
import type { Rest } from "../../../shared/gcp/rest.js";

/** One thing that was looked at. */
export interface Finding {
  /** `skipped` says that nothing was learnt, never that all is well. */
  readonly verdict: "ok" | "warning" | "failed" | "skipped";
  readonly what: string;
  /** What to do about it: a command, or a sentence. */
  readonly advice?: string;
}

/** What the doctor looks at. */
export interface Patient {
  readonly config: GcpConfig;
  readonly rest: Rest;
}

/** A group of findings about one part of an installation. */
export interface Check {
  readonly name: string;
  readonly examine: (patient: Patient) => Promise<readonly Finding[]>;
}

export const ok = (what: string): Finding => ({ verdict: "ok", what });
export const warning = (what: string, advice: string): Finding => ({
  verdict: "warning",
  what,
  advice,
});
export const failed = (what: string, advice: string): Finding => ({
  verdict: "failed",
  what,
  advice,
});
export const skipped = (what: string): Finding => ({ verdict: "skipped", what });

/** The advice that mends most of what an installation lacks. */
export const provisionAdvice = ({ config }: Patient): string =>
  config.localCloud === undefined
    ? "terraform apply (infra/terraform/README.md)"
    : 'stop it and start it again: "continuo up" provisions what is missing';

const pagesMax = 50;

/** Every item of a list, over all its pages. */
export const listAll = async <Item extends z.ZodType>(
  { rest }: Patient,
  request: {
    readonly url: string;
    readonly items: string;
    readonly item: Item;
    readonly query?: Readonly<Record<string, string | number>>;
  },
): Promise<readonly z.infer<Item>[]> => {
  const page = z.looseObject({ nextPageToken: z.string().default("") });
  const found: z.infer<Item>[] = [];
  let pageToken = "";
  for (let count = 0; count < pagesMax; count += 1) {
    const query = { ...request.query, ...(pageToken === "" ? {} : { pageToken }) };
    const answer = page.parse(await rest.json({ method: "GET", url: request.url, query }));
    found.push(...z.array(request.item).parse(answer[request.items] ?? []));
    pageToken = answer.nextPageToken;
    if (pageToken === "") break;
  }
  return found;
};

/** The last part of a resource's name. */
export const last = (name: string): string => name.slice(name.lastIndexOf("/") + 1);

/** An IAM policy, as far as the doctor reads it. */
export const policyShape = z.looseObject({
  bindings: z
    .array(z.looseObject({ role: z.string(), members: z.array(z.string()).default([]) }))
    .default([]),
});

/** A resource; null when there is none. */
export const getOne = async <Schema extends z.ZodType>(
  { rest }: Patient,
  url: string,
  schema: Schema,
): Promise<z.infer<Schema> | null> => {
  try {
    return schema.parse(await rest.json({ method: "GET", url }));
  } catch (error) {
    if (error instanceof CloudError && error.status === "NOT_FOUND") return null;
    throw error;
  }
};

/** The address of a product's REST API for this patient. */
export const api = ({ config }: Patient, product: string): string => baseUrl(config, product);

/** Runs a check; what stops it is a finding too. */
export const examine = async (check: Check, patient: Patient): Promise<readonly Finding[]> => {
  try {
    return await check.examine(patient);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    if (error instanceof CloudError && error.status === "PERMISSION_DENIED") {
      return [skipped(`you may not look at this: ${reason}`)];
    }
    if (error instanceof CloudError && error.status === "UNIMPLEMENTED") {
      return [skipped(`this cloud does not have it: ${reason}`)];
    }
    return [
      failed(
        `could not be looked at: ${reason}`,
        patient.config.localCloud === undefined
          ? `gcloud auth application-default login, and check project "${patient.config.projectId}" and region "${patient.config.region}"`
          : 'is it running? "continuo up" starts it',
      ),
    ];
  }
};
