/** The console as an HTTP function. */
import type { ServerResponse } from "node:http";
import { serveApi } from "../api/serve.js";
import type { ApiOptions, FunctionRequest } from "../api/serve.js";

/** Answers one request to the console. */
export const serveConsole = async (
  request: FunctionRequest,
  response: ServerResponse,
  options: ApiOptions,
): Promise<void> => serveApi(request, response, options);
