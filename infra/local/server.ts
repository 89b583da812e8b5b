/** Puts the local cloud together and serves it at one port. */
import type { IncomingMessage, ServerResponse } from "node:http";
import type { CloudContext, CloudSettings } from "./cloud.js";
import { closeDatabase, openDatabase, prepareFolder, shrink } from "./database.js";
import { settleReply, settling, withSettling } from "./durability.js";
import { makeIdentity } from "./identity.js";
import { takeLock } from "./lock.js";
import { facesOf, makeProducts, productNames, type ProductName } from "./products.js";
import { makeDispatch } from "./protocol/dispatch.js";
import { withCalls, type CallDelay } from "./protocol/calls.js";
import { grpcServer } from "./protocol/grpc.js";
import { openPort } from "./protocol/port.js";
import { errorJson, restHandler } from "./protocol/rest.js";
import { RpcError, type HttpRoute } from "./protocol/service.js";

const shrinkMs = 60_000;

/** How a local cloud is started. */
export interface StartSettings extends CloudSettings {
  /** The wanted port; the next free one when it is busy, any free one when it is 0. */
  readonly port: number;
  /** Products to start; all of them unless said. */
  readonly products?: readonly ProductName[];
  /** RPCs that take longer than they need to. */
  readonly callDelays?: readonly CallDelay[];
  /** A file that takes a JSON line for every step of every RPC; empty for none. */
  readonly callLogFile?: string;
  /** Takes the cloud's own log, line by line. */
  readonly log?: (line: string) => void;
  /** The clock, in milliseconds. */
  readonly now?: () => number;
}

/** A running local cloud. */
export interface RunningCloud {
  readonly address: string;
  readonly port: number;
  readonly context: CloudContext;
  readonly stop: () => Promise<void>;
}

const health: HttpRoute = {
  matches: (method, pathname) => method === "GET" && pathname === "/healthz",
  handle: async (_request, response) => {
    response.writeHead(200, { "content-type": "text/plain" });
    response.end("ok\n");
    await Promise.resolve();
  },
};

const isLoopbackHost = (host: string): boolean =>
  /^(127\.0\.0\.1|localhost|\[::1\]|host\.docker\.internal|[a-z0-9-]+\.localhost)(:\d+)?$/i.test(
    host,
  );

/**
 * A page of a foreign site must not reach this cloud through its visitor's browser: such a request carries
 * the page's origin, or a host name that the attacker made point here.
 */
function refuseForeignPages(request: IncomingMessage): void {
  const { origin, host } = request.headers;
  const isForeign =
    (host !== undefined && !isLoopbackHost(host)) ||
    (origin !== undefined &&
      origin !== "null" &&
      !isLoopbackHost(origin.replace(/^https?:\/\//, ""))) ||
    origin === "null";
  if (isForeign) {
    throw new RpcError(
      "PERMISSION_DENIED",
      "The local cloud answers requests to 127.0.0.1 or localhost only, and none from web pages of other sites.",
    );
  }
}

/** Starts a local cloud; resolves when it serves. */
export async function startCloud(settings: StartSettings): Promise<RunningCloud> {
  const log = settings.log ?? (() => undefined);
  const now = settings.now ?? Date.now;
  prepareFolder(settings.folder);
  const lock = takeLock(settings.folder);
  const undo: (() => Promise<void> | void)[] = [lock.release];
  const stop = async (): Promise<void> => {
    for (let last = undo.pop(); last !== undefined; last = undo.pop()) {
      try {
        await last();
      } catch (error) {
        log(`stopping: ${error instanceof Error ? error.message : String(error)}`);
      }
    }
  };
  try {
    const db = openDatabase(settings.folder, { deadPid: lock.deadPid, log });
    undo.push(() => {
      closeDatabase(db);
    });
    const shrinking = setInterval(() => {
      shrink(db);
    }, shrinkMs);
    undo.push(() => {
      clearInterval(shrinking);
    });
    const disk = settings.durable === "power" ? settling(db, settings.folder) : undefined;
    undo.push(() => disk?.close());
    const identity = await makeIdentity(settings.folder, now);
    let address = "";
    const faces = {};
    const context: CloudContext = {
      settings,
      db,
      now,
      services: facesOf(faces),
      address: () => {
        if (address === "") throw new Error("The address is known only once the cloud listens");
        return address;
      },
      log,
    };
    const products = await makeProducts(
      settings.products ?? productNames,
      context,
      identity,
      faces,
    );
    const known = makeDispatch(products.flatMap((product) => product.services));
    const dispatch = {
      ...known,
      methods: withCalls(
        disk === undefined ? known.methods : withSettling(known.methods, disk.settled),
        {
          delays: settings.callDelays ?? [],
          logFile: settings.callLogFile ?? "",
          now,
        },
      ),
    };
    const routes = [identity.route, health, ...products.flatMap((product) => product.routes ?? [])];
    const rest = restHandler(dispatch, log);

    const onRequest = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
      try {
        refuseForeignPages(request);
        const method = request.method ?? "GET";
        const path = request.url ?? "/";
        const pathname = path.split("?", 1)[0] ?? "/";
        const route = routes.find((one) => one.matches(method, pathname));
        if (route !== undefined && disk !== undefined) settleReply(response, disk.settled);
        await (route === undefined ? rest(request, response) : route.handle(request, response));
      } catch (error) {
        const { httpCode, body } = errorJson(
          error,
          `${request.method} ${request.url}`,
          dispatch,
          log,
        );
        if (response.headersSent) {
          response.destroy();
          return;
        }
        response.writeHead(httpCode, { "content-type": "application/json; charset=UTF-8" });
        response.end(JSON.stringify(body));
      }
    };

    const port = await openPort({
      port: settings.port,
      grpcServer: grpcServer(dispatch, log),
      onRequest,
    });
    undo.push(port.close);
    address = `http://127.0.0.1:${port.port}`;
    for (const product of products) {
      if (product.stop !== undefined) undo.push(product.stop);
      await product.start?.();
    }
    return { address, port: port.port, context, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}
