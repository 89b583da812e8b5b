/** Calls to Google's REST APIs: one token, one deadline per call, bounded retries of what may be repeated. */
import { RejectedError } from "../domain/errors.js";
import { localToken, lazily, type GcpConfig } from "./config.js";
import { asCloudError, cloudErrorOfHttp, type CloudError } from "./errors.js";
import { sendHttp, type HttpAnswer } from "./http.js";

/** One call. */
export interface RestCall {
  readonly method: "GET" | "POST" | "PATCH" | "PUT" | "DELETE";
  readonly url: string;
  readonly query?: Readonly<Record<string, string | number | undefined>>;
  /** Sent as JSON, or as it is when it is a Buffer. */
  readonly body?: unknown;
  readonly contentType?: string;
  /** Whether the same call may be sent twice; GET always may. */
  readonly isRepeatable?: boolean;
  readonly attemptsMax?: number;
  readonly deadlineMs?: number;
  /** A larger answer is refused before it is read. */
  readonly bytesMax?: number;
}

/** The REST client of one identity. */
export interface Rest {
  /** Sends once and returns whatever came back; throws when nothing did. */
  readonly send: (call: RestCall) => Promise<HttpAnswer>;
  /** Sends, repeats where that is allowed, and throws CloudError unless the answer is a success. */
  readonly call: (call: RestCall) => Promise<HttpAnswer>;
  /** Like `call`, and reads the answer as JSON. */
  readonly json: (call: RestCall) => Promise<unknown>;
}

const deadlineMsDefault = 20_000;
const attemptsMaxDefault = 4;
const backoffMs = 150;
/** A longer wait is the caller's business: it has a queue, we hold a request. */
const waitMsMax = 2000;

const isWorthRepeating = ({ status, retryAfterMs }: CloudError, { method }: RestCall): boolean =>
  (status === "UNAVAILABLE" ||
    status === "INTERNAL" ||
    status === "DEADLINE_EXCEEDED" ||
    // What changes something and meets a used-up quota is queued by its caller: repeating it uses up more.
    (status === "RESOURCE_EXHAUSTED" && method === "GET")) &&
  (retryAfterMs ?? 0) <= waitMsMax;

const wait = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

const withQuery = ({ url, query = {} }: RestCall): string => {
  const search = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    if (value !== undefined) search.set(name, String(value));
  }
  return search.size === 0 ? url : `${url}?${search.toString()}`;
};

const bodyOf = ({ body, contentType }: RestCall) => {
  if (body === undefined) return {};
  return Buffer.isBuffer(body)
    ? { payload: body, type: contentType ?? "application/octet-stream" }
    : { payload: JSON.stringify(body), type: "application/json" };
};

/** The source of access tokens: our identity's name locally, Application Default Credentials on Google Cloud. */
const tokens = (config: GcpConfig): (() => Promise<string>) => {
  if (config.localCloud !== undefined) return () => Promise.resolve(localToken(config));
  const auth = lazily(async () => {
    const { GoogleAuth } = await import("google-auth-library");
    return new GoogleAuth({ scopes: "https://www.googleapis.com/auth/cloud-platform" });
  });
  return async () => (await (await auth()).getAccessToken()) ?? "";
};

/** Makes the REST client. */
export const restClient = (config: GcpConfig): Rest => {
  const token = tokens(config);
  const send = async (call: RestCall): Promise<HttpAnswer> => {
    const { payload, type } = bodyOf(call);
    return sendHttp({
      method: call.method,
      url: withQuery(call),
      headers: {
        authorization: `Bearer ${await token()}`,
        ...(type === undefined ? {} : { "content-type": type }),
      },
      ...(payload === undefined ? {} : { body: payload }),
      deadlineMs: call.deadlineMs ?? deadlineMsDefault,
      check: ({ code, headers }) => {
        const bytes = Number(headers["content-length"] ?? 0);
        if (call.bytesMax !== undefined && code < 300 && bytes > call.bytesMax) {
          throw new RejectedError(
            `${call.url} is ${String(bytes)} bytes large; at most ${String(call.bytesMax)} are read here.`,
          );
        }
      },
    });
  };
  const sendChecked = async (request: RestCall): Promise<HttpAnswer> => {
    const answer = await send(request);
    if (answer.code >= 200 && answer.code < 300) return answer;
    throw cloudErrorOfHttp(
      answer.code,
      answer.body.toString("utf8"),
      answer.headers["retry-after"] ?? null,
    );
  };
  const call = async (request: RestCall): Promise<HttpAnswer> => {
    const isRepeatable = request.isRepeatable ?? request.method === "GET";
    const attemptsMax = request.attemptsMax ?? attemptsMaxDefault;
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await sendChecked(request);
      } catch (error) {
        if (error instanceof RejectedError) throw error;
        const cloud = asCloudError(error);
        if (!isRepeatable || attempt >= attemptsMax || !isWorthRepeating(cloud, request))
          throw cloud;
        const backoff = backoffMs * 2 ** (attempt - 1) * (0.5 + Math.random());
        await wait(Math.max(backoff, cloud.retryAfterMs ?? 0));
      }
    }
  };
  return {
    send,
    call,
    json: async (request) => {
      const { body } = await call(request);
      return body.length === 0 ? {} : JSON.parse(body.toString("utf8"));
    },
  };
};
