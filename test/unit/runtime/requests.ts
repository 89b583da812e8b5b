/** A key server on loopback, tokens signed with its key, and the requests and responses that an edge sees. */
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import type { Request, Response } from "@google-cloud/functions-framework";
import { exportJWK, generateKeyPair, SignJWT, type CryptoKey, type JWK } from "jose";

/** What the key server answers. */
export interface KeyServer {
  readonly url: string;
  /** Requests so far. */
  readonly asked: () => number;
  answer: { status: number; body: string };
  readonly sign: (claims?: Readonly<Record<string, unknown>>, key?: CryptoKey) => Promise<string>;
  readonly stop: () => Promise<void>;
}

export const audience = "https://functions.example.com/on-dataset-arrived";
export const email = "push@demo.iam.gserviceaccount.com";

const kid = "test-key";

const listening = async (server: Server): Promise<string> => {
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/certs`;
};

/** Starts a key server with one key. */
export const keyServer = async (): Promise<KeyServer> => {
  const { publicKey, privateKey } = await generateKeyPair("RS256", { extractable: true });
  const jwk: JWK = { ...(await exportJWK(publicKey)), kid, alg: "RS256", use: "sig" };
  let asked = 0;
  const server = createServer((_request, response) => {
    asked += 1;
    response.writeHead(keys.answer.status, { "content-type": "application/json" });
    response.end(keys.answer.body);
  });
  const keys: KeyServer = {
    url: await listening(server),
    asked: () => asked,
    answer: { status: 200, body: JSON.stringify({ keys: [jwk] }) },
    sign: (claims = {}, key = privateKey) => {
      const nowSeconds = Math.floor(Date.now() / 1000);
      return new SignJWT({
        iss: "https://accounts.google.com",
        aud: audience,
        email,
        email_verified: true,
        sub: "113774264463038321964",
        iat: nowSeconds,
        exp: nowSeconds + 3600,
        ...claims,
      })
        .setProtectedHeader({ alg: "RS256", kid, typ: "JWT" })
        .sign(key);
    },
    stop: () =>
      new Promise((resolve) => {
        server.closeAllConnections();
        server.close(() => resolve());
      }),
  };
  return keys;
};

/** A request with a parsed body, as the framework hands it over. */
export const requestOf = (authorization: string | undefined, body: unknown): Request =>
  ({
    body,
    header: (name: string) => (name.toLowerCase() === "authorization" ? authorization : undefined),
  }) as unknown as Request;

/** A response that remembers its status. */
export const responseOf = (): { readonly response: Response; readonly status: () => number } => {
  let code = 0;
  let hasEnded = false;
  const response = {
    status: (given: number) => {
      code = given;
      return response;
    },
    end: () => {
      hasEnded = true;
      return response;
    },
  };
  return {
    response: response as unknown as Response,
    status: () => (hasEnded ? code : 0),
  };
};
