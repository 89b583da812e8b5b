// A model server small enough to read: it keeps Vertex AI's container contract and does what an instance asks for.
import { createServer } from "node:http";

const { env } = process;
const behaviour = env.BEHAVIOUR ?? "";
if (behaviour === "exits") {
  console.error("the model file is corrupt");
  process.exit(3);
}

const storage = new URL(env.STORAGE_EMULATOR_HOST);
const artifact = async () => {
  const match = /^gs:\/\/([^/]+)\/(.*)$/.exec(env.AIP_STORAGE_URI ?? "");
  if (match === null) return undefined;
  const name = encodeURIComponent(`${match[2]}/model.json`);
  const reply = await fetch(new URL(`/storage/v1/b/${match[1]}/o/${name}?alt=media`, storage));
  if (!reply.ok) throw new Error(`artifact: ${reply.status}`);
  return reply.json();
};
const model = await artifact();

let isHealthy = behaviour !== "never-healthy";
const answers = {
  env: () => env,
  die: () => process.exit(9),
  sicken: () => {
    isHealthy = false;
    return "sick";
  },
  deafen: () => {
    server.close();
    setImmediate(() => server.closeAllConnections());
    setInterval(() => undefined, 60_000);
    return "deaf";
  },
  log: (instance) => {
    for (let line = 0; line < instance.log; line += 1) console.log(`line ${line}`);
    return "logged";
  },
  bytes: (instance) => "x".repeat(instance.bytes),
};

const predict = async (instance, parameters) => {
  if (typeof instance === "object" && instance !== null) {
    if (typeof instance.sleepMs === "number") {
      await new Promise((resolve) => setTimeout(resolve, instance.sleepMs));
    }
    for (const [key, answer] of Object.entries(answers)) {
      if (key in instance) return answer(instance);
    }
  }
  return { model: model?.value ?? null, instance, parameters: parameters ?? null };
};

const answer = async (request, response, text) => {
  if (request.url !== env.AIP_PREDICT_ROUTE) {
    response.writeHead(404).end("no such route");
    return;
  }
  if (request.headers["content-type"] !== "application/json") {
    response.writeHead(200, { "content-type": "text/plain" }).end(text.toUpperCase());
    return;
  }
  const { instances, parameters } = JSON.parse(text);
  const status = instances[0]?.status;
  if (typeof status === "number") {
    response.writeHead(status).end(`refused with ${status}`);
    return;
  }
  if (instances[0]?.garbage === true) {
    response.writeHead(200).end("not json");
    return;
  }
  const predictions = await Promise.all(instances.map((item) => predict(item, parameters)));
  response.writeHead(200, { "content-type": "application/json" });
  response.end(JSON.stringify({ predictions }));
};

const server = createServer((request, response) => {
  if (request.method === "GET" && request.url === env.AIP_HEALTH_ROUTE) {
    response.writeHead(isHealthy ? 200 : 503).end();
    return;
  }
  const chunks = [];
  request.on("data", (chunk) => chunks.push(chunk));
  request.on("end", () => {
    void answer(request, response, Buffer.concat(chunks).toString("utf8"));
  });
});
server.listen(Number(env.AIP_HTTP_PORT), env.HOST);
