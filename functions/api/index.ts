/** For people and programs: reads state and takes operators' commands. */
import { http } from "@google-cloud/functions-framework";
import { serveApi } from "../../shared/runtime/api/serve.js";
import { config, ports } from "../../shared/runtime/wiring.js";

http("api", async (request, response) => {
  await serveApi(request, response, { config: config(), ports: ports() });
});
