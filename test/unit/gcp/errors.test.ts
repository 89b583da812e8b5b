import { describe, expect, it } from "vitest";
import { ConflictError, RejectedError, UnavailableError } from "../../../shared/domain/errors.js";
import {
  asCloudError,
  attempting,
  cloudErrorOfHttp,
  namesRunningOperation,
  translated,
  type CloudStatus,
} from "../../../shared/gcp/errors.js";

const grpcError = (code: number, details: string): Error =>
  Object.assign(new Error(`${String(code)} NAME: ${details}`), { code, details });

const httpError = (code: number, status: CloudStatus, message: string) =>
  cloudErrorOfHttp(code, JSON.stringify({ error: { code, status, message } }), null);

describe("what the cloud says becomes what the edges understand", () => {
  it.each([
    ["INVALID_ARGUMENT", 400, RejectedError],
    ["NOT_FOUND", 404, RejectedError],
    ["ALREADY_EXISTS", 409, RejectedError],
    ["PERMISSION_DENIED", 403, RejectedError],
    ["FAILED_PRECONDITION", 400, RejectedError],
    ["OUT_OF_RANGE", 400, RejectedError],
    ["UNIMPLEMENTED", 501, RejectedError],
    ["UNAUTHENTICATED", 401, UnavailableError],
    ["RESOURCE_EXHAUSTED", 429, UnavailableError],
    ["DEADLINE_EXCEEDED", 504, UnavailableError],
    ["UNAVAILABLE", 503, UnavailableError],
    ["INTERNAL", 500, UnavailableError],
    ["UNKNOWN", 500, UnavailableError],
    ["CANCELLED", 499, UnavailableError],
    ["ABORTED", 409, UnavailableError],
  ] as const)("%s", (status, code, expected) => {
    const error = translated("deploy 1 to churn", httpError(code, status, "because"));
    expect(error).toBeInstanceOf(expected);
    expect(error.message).toContain(`Could not deploy 1 to churn: ${status}: because`);
  });

  it("tells the last attempt's error when the client's own attempts ran out", () => {
    const full = "14 UNAVAILABLE: The disk is full. Free some space.";
    const error = Object.assign(
      new Error(
        `Total timeout of API google.pubsub.v1.Publisher exceeded 20000 milliseconds retrying error Error: ${full}  before any response was received. : Previous errors : [{message: ${full}, code: 14, details: , note: }]`,
      ),
      { code: 4 },
    );
    expect(translated("publish to topic dataset", error)).toEqual(
      new UnavailableError(
        "Could not publish to topic dataset: UNAVAILABLE: The disk is full. Free some space. (tried for 20 s)",
      ),
    );
  });

  it("tries again when a transaction took too long", () => {
    const expired = grpcError(3, "The referenced transaction has expired or is no longer valid.");
    const error = translated("decide", expired, { isDecision: true });
    expect(error).toBeInstanceOf(UnavailableError);
    expect(error.message).not.toContain("will be refused again");
  });

  it("asks to decide again when a decision's transaction was aborted", () => {
    const error = translated("decide", grpcError(10, "too much contention"), { isDecision: true });
    expect(error).toBeInstanceOf(ConflictError);
  });

  it.each([
    'There are other operations running on the Endpoint "x". Operation(s) are: projects/1/locations/r/operations/5.',
    "Another operation is in progress on this resource.",
    "The operation is already running.",
  ])("waits when another operation must end first: %s", (message) => {
    expect(namesRunningOperation(message)).toBe(true);
    expect(translated("x", httpError(400, "FAILED_PRECONDITION", message))).toBeInstanceOf(
      UnavailableError,
    );
  });

  it.each([
    'DeployedModel "5" has 10 % of the traffic of projects/1/endpoints/x: send its traffic elsewhere first.',
    "The Model is deployed at the following Endpoint: x. Undeploy it first.",
    "Bucket is not empty.",
  ])("does not wait for what will not change by itself: %s", (message) => {
    expect(translated("x", httpError(400, "FAILED_PRECONDITION", message))).toBeInstanceOf(
      RejectedError,
    );
  });

  it("waits for what was created a moment ago and is not visible yet", () => {
    for (const status of ["NOT_FOUND", "PERMISSION_DENIED"] as const) {
      const error = translated("x", httpError(404, status, "?"), { isRecent: true });
      expect(error).toBeInstanceOf(UnavailableError);
    }
  });

  it("reads how long to wait from the body, else from the header, else waits longer for quotas", () => {
    const retryInfo = { "@type": "type.googleapis.com/google.rpc.RetryInfo", retryDelay: "2.5s" };
    const status = { code: 429, status: "RESOURCE_EXHAUSTED", message: "quota" };
    const waitOf = (error: Error): number | undefined =>
      error instanceof UnavailableError ? error.retryAfterMs : undefined;
    const body = JSON.stringify({ error: { ...status, details: [retryInfo] } });
    expect(waitOf(translated("x", cloudErrorOfHttp(429, body, "9")))).toBe(2500);
    expect(waitOf(translated("x", cloudErrorOfHttp(429, "busy", "9")))).toBe(9000);
    expect(waitOf(translated("x", cloudErrorOfHttp(429, "busy", null)))).toBe(10_000);
    expect(waitOf(translated("x", cloudErrorOfHttp(503, "busy", "soon")))).toBe(1000);
  });

  it("takes what no API reported for a cloud that cannot be reached", () => {
    const refused = Object.assign(new TypeError("fetch failed"), {
      cause: Object.assign(new Error("connect ECONNREFUSED"), { code: "ECONNREFUSED" }),
    });
    expect(asCloudError(refused)).toMatchObject({
      status: "UNAVAILABLE",
      message: "fetch failed (ECONNREFUSED)",
    });
    const late = new DOMException("The operation was aborted due to timeout", "TimeoutError");
    expect(asCloudError(late).status).toBe("DEADLINE_EXCEEDED");
    expect(asCloudError("odd").status).toBe("UNAVAILABLE");
  });

  it("never repeats a credential", () => {
    const message =
      "bad token Bearer ya29.abc-DEF_1 and eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln-x here";
    const error = translated("x", httpError(401, "UNAUTHENTICATED", message));
    expect(error.message).not.toMatch(/ya29|eyJ/);
    expect(error.message).toContain("here");
  });

  it("leaves our own errors as they are", async () => {
    const own = new RejectedError("mine");
    await expect(attempting("x", () => Promise.reject(own))).rejects.toBe(own);
  });
});
