/** Functions of this process behind one port, each through the framework's own middleware. */
import type { Server } from "node:http";
import { getTestServer } from "@google-cloud/functions-framework/testing";
import { pathRouter } from "./path-router.js";

/** A server for functions that were registered with the framework before. */
export const functionRouter = (names: readonly string[]): Server => {
  const servers = new Map(names.map((name) => [name, getTestServer(name)]));
  return pathRouter(names, (name, request, response) => {
    servers.get(name)?.emit("request", request, response);
  });
};
