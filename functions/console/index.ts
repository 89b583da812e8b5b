/** For people: the web console. */
import { http } from "@google-cloud/functions-framework";
import { serveConsole } from "../../shared/runtime/console/serve.js";
import { config, ports } from "../../shared/runtime/wiring.js";

http("console", async (request, response) => {
  await serveConsole(request, response, { config: config(), ports: ports() });
});
