/** Cloud Audit Logs of Vertex AI: one entry per administrative call, two (first, last) for a long-running one. */
import { randomUUID } from "node:crypto";
import type { CloudContext } from "../cloud.js";
import {
  RpcError,
  statusCode,
  type ServiceImplementation,
  type UnaryHandler,
} from "../protocol/service.js";
import { jsonOfMessage, typeUrl, type RpcStatus } from "./messages.js";
import { canonicalName } from "./names.js";

/** One administrative call, or one end of a long-running one. */
export interface AuditedCall {
  /** Full method name, for example `google.cloud.aiplatform.v1.ModelService.UploadModel`. */
  readonly method: string;
  readonly principal: string;
  /** The resource that the call is about; its parent while the resource does not exist yet. */
  readonly resourceName: string;
  readonly request?: unknown;
  /** The reply, with its `@type` when it has one. */
  readonly response?: unknown;
  /** Absent when the call succeeded. */
  readonly failure?: RpcStatus;
  readonly operation?: { readonly id: string; readonly position: "first" | "last" };
}

const requestType = (method: string): string =>
  typeUrl(`${method.slice(method.lastIndexOf(".") + 1)}Request`);

const isMessage = (value: unknown): value is object => typeof value === "object" && value !== null;

/** Writes a call into the activity log; a log that cannot be written is reported and does not fail the call. */
export const writeAudit = async (context: CloudContext, call: AuditedCall): Promise<void> => {
  const { projectId } = context.settings;
  const timestamp = new Date(context.now()).toISOString();
  const request = jsonOfMessage(call.request ?? null);
  const entry = {
    protoPayload: {
      "@type": "type.googleapis.com/google.cloud.audit.AuditLog",
      status: call.failure ?? {},
      authenticationInfo: { principalEmail: call.principal },
      requestMetadata: { callerIp: "127.0.0.1" },
      serviceName: "aiplatform.googleapis.com",
      methodName: call.method,
      resourceName: call.resourceName,
      request: isMessage(request) ? { "@type": requestType(call.method), ...request } : null,
      ...(call.response === undefined ? {} : { response: jsonOfMessage(call.response) }),
    },
    insertId: randomUUID(),
    resource: {
      type: "audited_resource",
      labels: { project_id: projectId, service: "aiplatform.googleapis.com", method: call.method },
    },
    timestamp,
    severity: call.failure === undefined ? "NOTICE" : "ERROR",
    logName: `projects/${projectId}/logs/cloudaudit.googleapis.com%2Factivity`,
    receiveTimestamp: timestamp,
    ...(call.operation === undefined
      ? {}
      : {
          operation: {
            id: call.operation.id,
            producer: "aiplatform.googleapis.com",
            [call.operation.position]: true,
          },
        }),
  };
  try {
    await context.services.logging.write([entry]);
  } catch (error) {
    context.log(`vertex: audit entry of ${call.method} was not written: ${String(error)}`);
  }
};

const isMutation = (method: string): boolean => !/^(?:Get|List|Predict|RawPredict)/.test(method);

const textIn = (message: object, field: string): string | undefined => {
  const value: unknown = Object.entries(message).find(([key]) => key === field)?.[1];
  return typeof value === "string" && value !== "" ? value : undefined;
};

/** The resource that a request is about: its own name, or that of the message that it carries, or its parent. */
const resourceOf = (request: object): string => {
  const carried = Object.values(request).filter(isMessage);
  return (
    textIn(request, "name") ??
    textIn(request, "endpoint") ??
    textIn(request, "parent") ??
    carried.map((message) => textIn(message, "name")).find((name) => name !== undefined) ??
    ""
  );
};

/** Writes an entry for each administrative call that is refused; what is done writes its own. */
export const auditRefusals = (
  context: CloudContext,
  implementation: ServiceImplementation,
): ServiceImplementation => {
  const audited = ([name, handler]: readonly [string, UnaryHandler]): [string, UnaryHandler] => {
    if (!isMutation(name)) return [name, handler];
    const watched: UnaryHandler = async (request, call) => {
      try {
        return await handler(request, call);
      } catch (error) {
        if (error instanceof RpcError) {
          await writeAudit(context, {
            method: `${implementation.service}.${name}`,
            principal: call.principal,
            resourceName: canonicalName(context.settings, resourceOf(request)),
            request,
            failure: { code: statusCode[error.status], message: error.message },
          });
        }
        throw error;
      }
    };
    return [name, watched];
  };
  return {
    ...implementation,
    unary: Object.fromEntries(Object.entries(implementation.unary ?? {}).map(audited)),
  };
};
