/** Which handler answers which RPC, the same for both transports. */
import { loadServices, type Method, type MethodAddress, type MessageType } from "./descriptors.js";
import {
  RpcError,
  type BidiHandler,
  type CallContext,
  type ServerStreamHandler,
  type ServiceImplementation,
  type UnaryHandler,
} from "./service.js";
import type { Message, TypeLookup } from "./wire.js";

/** An RPC with its answer, or with the refusal where nothing answers it. */
export interface ServedMethod {
  readonly method: Method;
  readonly unary: (request: Message, context: CallContext) => Promise<unknown>;
  readonly serverStream: (request: Message, context: CallContext) => AsyncIterable<unknown>;
  readonly bidi: (requests: AsyncIterable<Message>, context: CallContext) => AsyncIterable<unknown>;
}

/** Everything that is served. */
export interface Dispatch {
  readonly methods: readonly ServedMethod[];
  /** Known RPCs of the same products that nothing implements. */
  readonly addresses: readonly MethodAddress[];
  readonly lookup: TypeLookup;
  readonly type: (name: string) => MessageType;
}

/** The refusal of what is not built. */
export const unimplemented = (service: string, name: string): RpcError =>
  new RpcError("UNIMPLEMENTED", `The local cloud does not implement ${service}/${name}.`);

/** The preview version of Vertex AI, which gcloud calls, is answered by the handlers of the stable one. */
const withPreviews = (
  implementations: readonly ServiceImplementation[],
): readonly ServiceImplementation[] =>
  implementations.flatMap((one) =>
    one.service.startsWith("google.cloud.aiplatform.v1.")
      ? [one, { ...one, service: one.service.replace(".v1.", ".v1beta1.") }]
      : [one],
  );

async function* refuse(error: RpcError): AsyncGenerator<never> {
  await Promise.reject(error);
  yield* [];
}

const pick = (
  list: readonly ServiceImplementation[],
  request: Message,
): ServiceImplementation | undefined => list.find((one) => one.owns?.(request) ?? true);

function served(method: Method, candidates: readonly ServiceImplementation[]): ServedMethod {
  const { service, name } = method;
  const unary = candidates.filter((one) => one.unary?.[name] !== undefined);
  const streams = candidates.filter((one) => one.serverStream?.[name] !== undefined);
  const bidi = candidates.find((one) => one.bidi?.[name] !== undefined)?.bidi?.[name];
  const unowned = (list: readonly ServiceImplementation[]): RpcError =>
    list.length === 0
      ? unimplemented(service, name)
      : new RpcError("NOT_FOUND", `No product of the local cloud owns what ${name} names.`);
  return {
    method,
    unary: async (request, context) => {
      const handler = pick(unary, request)?.unary?.[name] as UnaryHandler<Message> | undefined;
      if (handler === undefined) throw unowned(unary);
      return await handler(request, context);
    },
    serverStream: (request, context) => {
      const handler = pick(streams, request)?.serverStream?.[name] as
        ServerStreamHandler<Message> | undefined;
      return handler === undefined ? refuse(unowned(streams)) : handler(request, context);
    },
    bidi: (requests, context) =>
      bidi === undefined
        ? refuse(unimplemented(service, name))
        : (bidi as BidiHandler<Message>)(requests, context),
  };
}

/** Ties implementations to the descriptors; a handler of an RPC that does not exist is refused at once. */
export function makeDispatch(given: readonly ServiceImplementation[]): Dispatch {
  const implementations = withPreviews(given);
  const registry = loadServices(
    [...new Set(implementations.map((one) => one.service))],
    implementations.flatMap((one) => one.types ?? []),
  );
  const byService = new Map<string, Map<string, Method>>();
  for (const method of registry.methods) {
    const methods = byService.get(method.service) ?? new Map<string, Method>();
    byService.set(method.service, methods.set(method.name, method));
  }
  for (const one of given) {
    const known = byService.get(one.service);
    const kinds = { unary: one.unary, serverStream: one.serverStream, bidi: one.bidi };
    for (const [kind, handlers] of Object.entries(kinds)) {
      for (const name of Object.keys(handlers ?? {})) {
        const method = known?.get(name);
        const wanted =
          method === undefined
            ? "not an RPC of the service"
            : method.isRequestStream
              ? "bidi"
              : method.isReplyStream
                ? "serverStream"
                : "unary";
        if (wanted !== kind) throw new Error(`${one.service}/${name} (${kind}) is ${wanted}`);
      }
    }
  }
  return {
    methods: registry.methods.map((method) =>
      served(
        method,
        implementations.filter((one) => one.service === method.service),
      ),
    ),
    addresses: registry.addresses,
    lookup: registry.type,
    type: (name) => {
      const type = registry.type(name);
      if (type === undefined) throw new Error(`The type ${name} is not loaded`);
      return type;
    },
  };
}
