/**
 * Makes a function's code cache while its image is built, by the Node of that image: the function starts, is sent what it
 * is there for against a cloud that holds nothing, and V8 writes down what it has compiled until then. A function that
 * does not answer this fails the build of its image.
 */
import { generateKeyPairSync, sign } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer as createHttpServer, request as httpRequest } from "node:http";
import { connect, createServer, type Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { text } from "node:stream/consumers";
import { isListening } from "../listening.js";
import { cacheFile, readBundle, runBundle } from "./bundle-script.js";
import { emptyAnswer, emptyFirestore } from "./empty-firestore.js";
import {
  apiRequest,
  consoleRequest,
  exampleEvent,
  pushRequest,
  type PlainRequest,
} from "./requests.js";

const folder = __dirname;
const name = process.env["FUNCTION_TARGET"] ?? "";
const limitMs = 60_000;
const lookEveryMs = 10;
const host = "rehearsal.localhost";
const apiToken = "the-token-of-a-rehearsal";
const audience = "https://rehearsal.invalid";
const pushIdentity = "push@rehearsal.iam.gserviceaccount.com";
const project = "rehearsal";

const { publicKey, privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
const keyId = "rehearsal";

const part = (content: unknown): string =>
  Buffer.from(JSON.stringify(content)).toString("base64url");

/** A token as Pub/Sub's pushes carry it. */
const pushToken = (): string => {
  const seconds = Math.floor(Date.now() / 1000);
  const claims = {
    iss: "https://accounts.google.com",
    aud: `${audience}/${name}`,
    email: pushIdentity,
    email_verified: true,
    iat: seconds,
    exp: seconds + 3600,
  };
  const signed = `${part({ alg: "RS256", typ: "JWT", kid: keyId })}.${part(claims)}`;
  return `${signed}.${sign("RSA-SHA256", Buffer.from(signed), privateKey).toString("base64url")}`;
};

const listen = async (server: Server): Promise<number> => {
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const bound = server.address();
  return typeof bound === "object" && bound !== null ? bound.port : 0;
};

/** One address for everything that a function asks: gRPC goes to Firestore, the keys are ours, and nothing is there. */
const startCloud = async (): Promise<string> => {
  const keys = { keys: [{ ...publicKey.export({ format: "jwk" }), kid: keyId, alg: "RS256" }] };
  const rest = createHttpServer((request, response) => {
    const url = request.url ?? "";
    void text(request).then((body) => {
      const answer = url.startsWith("/oauth2/") ? keys : emptyAnswer(url, body);
      response.setHeader("content-type", "application/json");
      response.end(JSON.stringify(answer));
    });
  });
  const [restPort, grpcPort] = [await listen(rest), await listen(emptyFirestore())];
  const both = createServer((socket) => {
    socket.once("data", (first) => {
      const isGrpc = first.toString("latin1").startsWith("PRI * HTTP/2");
      const target = connect(isGrpc ? grpcPort : restPort, "127.0.0.1");
      target.write(first);
      socket.pipe(target).pipe(socket);
    });
  });
  return `http://127.0.0.1:${await listen(both)}`;
};

const ask = (socketPath: string, { method, path, headers, body }: PlainRequest): Promise<number> =>
  new Promise((resolve, reject) => {
    const sent = httpRequest({ socketPath, method, path, headers, agent: false }, (reply) => {
      reply.resume().once("end", () => resolve(reply.statusCode ?? 0));
    });
    sent.once("error", reject);
    sent.end(body);
  });

const work = (): PlainRequest => {
  if (name === "api") return apiRequest(apiToken, host, "GET", "/status");
  if (name === "console") return consoleRequest(apiToken, host, "/");
  const id = "rehearsal/1";
  const subscription = `projects/${project}/subscriptions/${name}`;
  return pushRequest(subscription, `Bearer ${pushToken()}`, id, exampleEvent(name, id));
};

const rehearse = async (): Promise<void> => {
  const place = mkdtempSync(join(tmpdir(), "continuo-rehearsal-"));
  const cloud = await startCloud();
  const socket = join(place, "function.sock");
  Object.assign(process.env, {
    PORT: socket,
    NODE_ENV: "production",
    FUNCTION_SOURCE: join(folder, "index.cjs"),
    CONTINUO_PROJECT: project,
    CONTINUO_BUCKET: `${project}-continuo`,
    CONTINUO_IDENTITY: `continuo@${project}.iam.gserviceaccount.com`,
    CONTINUO_PUSH_AUDIENCE: audience,
    CONTINUO_PUSH_IDENTITY: pushIdentity,
    CONTINUO_JWKS_URL: `${cloud}/oauth2/v3/certs`,
    CONTINUO_LOCAL_CLOUD: cloud,
    CONTINUO_API_TOKEN: apiToken,
    CONTINUO_CONSOLE_URL: `http://${host}/`,
  });
  const script = readBundle(folder);
  runBundle(folder, script);
  while (!(await isListening({ path: socket }))) {
    await new Promise((resolve) => setTimeout(resolve, lookEveryMs));
  }
  const status = await ask(socket, work());
  if (status < 200 || status >= 300) throw new Error(`${name} answered ${status} to a rehearsal`);
  const cache = script.createCachedData();
  writeFileSync(join(folder, cacheFile), cache);
  rmSync(place, { recursive: true, force: true });
  process.stdout.write(`${name}: ${cacheFile} of ${(cache.length / 1000).toFixed(0)} kB\n`);
};

setTimeout(() => {
  process.stderr.write(`${name} did not answer a rehearsal within ${limitMs / 1000} s\n`);
  process.exit(1);
}, limitMs).unref();

rehearse().then(
  () => process.exit(0),
  (error: unknown) => {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
    process.exit(1);
  },
);
