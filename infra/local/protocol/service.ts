/** How a service of the local cloud is written: one set of handlers, served over gRPC and REST alike. */
import type { IncomingMessage, ServerResponse } from "node:http";

/** Names a type inside an Any. */
export const typeUrl = (name: string): string => `type.googleapis.com/${name}`;

/** Who calls, and how long they will wait. */
export interface CallContext {
  /** The caller's e-mail address, read from a bearer token `local:<email>`; "anonymous" without one. */
  readonly principal: string;
  readonly transport: "grpc" | "rest";
  /** Aborted when the caller hangs up or its deadline passes. */
  readonly signal: AbortSignal;
  /** Request headers or gRPC metadata, lower-case names, text values only. */
  readonly headers: Readonly<Record<string, string>>;
}

/**
 * Messages have one shape on both transports, that of `@grpc/proto-loader` with
 * `{longs: String, enums: String, bytes: Buffer, oneofs: false, defaults: false, keepCase: false}`:
 * camelCase names, int64 as string, enums by name, bytes as Buffer, Timestamp `{seconds, nanos}`,
 * Struct `{fields}`, FieldMask `{paths}` (proto snake_case paths), absent fields absent. An Any is
 * `{"@type": "type.googleapis.com/package.Type", ...its fields}`; a field that the reply's type lacks is refused.
 */
export type UnaryHandler<Request = never, Reply = unknown> = (
  request: Request,
  context: CallContext,
) => Promise<Reply> | Reply;

/** One request, many replies. */
export type ServerStreamHandler<Request = never, Reply = unknown> = (
  request: Request,
  context: CallContext,
) => AsyncIterable<Reply>;

/** Many requests, many replies. */
export type BidiHandler<Request = never, Reply = unknown> = (
  requests: AsyncIterable<Request>,
  context: CallContext,
) => AsyncIterable<Reply>;

/** A protobuf service; an RPC without a handler answers UNIMPLEMENTED on both transports. */
export interface ServiceImplementation {
  /** Full protobuf name, for example `google.pubsub.v1.Publisher`. */
  readonly service: string;
  readonly unary?: Readonly<Record<string, UnaryHandler>>;
  readonly serverStream?: Readonly<Record<string, ServerStreamHandler>>;
  readonly bidi?: Readonly<Record<string, BidiHandler>>;
  /**
   * Whether a request is this product's, where several products implement one service (google.longrunning.Operations):
   * the first implementation that owns it, or that does not say, answers.
   */
  readonly owns?: (request: Readonly<Record<string, unknown>>) => boolean;
  /** Full names of further types that only travel inside an Any, for example a long-running operation's metadata. */
  readonly types?: readonly string[];
}

/**
 * A plain HTTP route for what no protobuf describes (the Cloud Storage JSON API, `:predict`'s fast path,
 * public keys). It sees the raw node request and answers it; routes are tried before the REST services.
 */
export interface HttpRoute {
  /** Returns true when this route owns the request. */
  readonly matches: (method: string, pathname: string) => boolean;
  readonly handle: (request: IncomingMessage, response: ServerResponse) => Promise<void>;
}

/** Canonical status codes, https://github.com/googleapis/googleapis/blob/master/google/rpc/code.proto */
export const statusCode = {
  OK: 0,
  CANCELLED: 1,
  UNKNOWN: 2,
  INVALID_ARGUMENT: 3,
  DEADLINE_EXCEEDED: 4,
  NOT_FOUND: 5,
  ALREADY_EXISTS: 6,
  PERMISSION_DENIED: 7,
  RESOURCE_EXHAUSTED: 8,
  FAILED_PRECONDITION: 9,
  ABORTED: 10,
  OUT_OF_RANGE: 11,
  UNIMPLEMENTED: 12,
  INTERNAL: 13,
  UNAVAILABLE: 14,
  DATA_LOSS: 15,
  UNAUTHENTICATED: 16,
} as const;

/** A canonical status by its name. */
export type StatusName = keyof typeof statusCode;

/** An error that both transports translate into google.rpc.Status. Anything else thrown becomes INTERNAL. */
export class RpcError extends Error {
  override readonly name = "RpcError";
  readonly status: StatusName;
  /** google.rpc.Status details: messages with an `@type`, for example google.rpc.ErrorInfo. */
  readonly details: readonly Readonly<Record<string, unknown>>[];

  constructor(
    status: StatusName,
    message: string,
    options?: ErrorOptions & { readonly details?: readonly Readonly<Record<string, unknown>>[] },
  ) {
    super(message, options);
    this.status = status;
    this.details = options?.details ?? [];
  }
}
