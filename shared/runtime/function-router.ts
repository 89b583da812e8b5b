/** Functions of this process behind one port. */
import type { IncomingMessage, Server, ServerResponse } from "node:http";
import { getFunction, getTestServer } from "@google-cloud/functions-framework/testing";
import { pushFunctionOf, type PushFunction, type PushRequest, type PushResponse } from "./edge.js";
import { pathRouter, refuse } from "./path-router.js";

type Answer = (request: IncomingMessage, response: ServerResponse) => void;

/** Through the framework's own middleware, as where it is deployed. */
const throughFramework = (name: string): Answer => {
  const server = getTestServer(name);
  return (request, response) => {
    server.emit("request", request, response);
  };
};

const requestOf = ({ headers }: IncomingMessage, body: unknown): PushRequest => ({
  body,
  header: (name) => headers[name],
});

const responseOf = (response: ServerResponse): PushResponse => ({
  status: (code) => {
    response.statusCode = code;
    return response;
  },
});

/**
 * A push is a JSON body of a known length, which the framework's middleware reads at several times the cost and hands
 * over no different: it is read here.
 */
const answerDirectly =
  (answer: PushFunction): Answer =>
  (request, response) => {
    const parts: Buffer[] = [];
    request.on("data", (part: Buffer) => parts.push(part));
    request.once("end", () => {
      let body: unknown;
      try {
        body = JSON.parse(Buffer.concat(parts).toString("utf8"));
      } catch {
        refuse(response, 400, "no-json", "the body is not JSON");
        return;
      }
      void answer(requestOf(request, body), responseOf(response));
    });
  };

const isPush = ({ method, headers }: IncomingMessage): boolean =>
  method === "POST" && headers["content-type"] === "application/json";

const answerOf = (name: string): Answer => {
  const framework = throughFramework(name);
  const push = pushFunctionOf(getFunction(name));
  if (push === undefined) return framework;
  const direct = answerDirectly(push);
  return (request, response) => {
    (isPush(request) ? direct : framework)(request, response);
  };
};

/** A server for functions that were registered with the framework before. */
export const functionRouter = (names: readonly string[]): Server => {
  const answers = new Map(names.map((name) => [name, answerOf(name)]));
  return pathRouter(names, (name, request, response) => {
    answers.get(name)?.(request, response);
  });
};
