/** A gRPC proxy in front of the local cloud that can lose the reply of a call that was done. */
import http2 from "node:http2";
import type { AddressInfo } from "node:net";

/** A running proxy. */
export interface LossyProxy {
  readonly address: string;
  /** Loses the next reply of a method, by its name: the call is done, and then the connection breaks. */
  readonly loseReplyOf: (method: string) => void;
  /** Replies lost so far. */
  readonly lost: () => number;
  readonly stop: () => Promise<void>;
}

const isPseudo = (name: string): boolean => name.startsWith(":") && name !== ":status";

/** Starts a proxy at a free port. */
export const startLossyProxy = async (target: string): Promise<LossyProxy> => {
  const armed = new Set<string>();
  let lost = 0;
  const sessions = new Set<http2.ServerHttp2Session>();
  const upstream = http2.connect(target);
  upstream.on("error", () => undefined);
  const server = http2.createServer();
  server.on("session", (session) => {
    sessions.add(session);
    session.on("close", () => sessions.delete(session));
    session.on("error", () => undefined);
  });
  server.on("stream", (client, headers) => {
    const method = String(headers[":path"]).split("/").at(-1) ?? "";
    const isLost = armed.delete(method);
    const { ":path": path, ":method": verb, ...rest } = headers;
    const forwarded = Object.fromEntries(Object.entries(rest).filter(([name]) => !isPseudo(name)));
    const call = upstream.request({ ":path": path, ":method": verb, ...forwarded });
    client.on("error", () => call.close());
    call.on("error", () => client.close());
    client.pipe(call);
    if (isLost) {
      call.resume();
      call.on("end", () => {
        lost += 1;
        client.session?.destroy();
      });
      return;
    }
    let trailers: http2.OutgoingHttpHeaders = {};
    call.on("trailers", (given) => {
      trailers = given;
    });
    call.on("response", (given, flags) => {
      const isOnlyHeaders = (flags & http2.constants.NGHTTP2_FLAG_END_STREAM) !== 0;
      client.respond(given, { endStream: isOnlyHeaders, waitForTrailers: !isOnlyHeaders });
      if (isOnlyHeaders) return;
      client.on("wantTrailers", () => client.sendTrailers(trailers));
      call.pipe(client);
    });
  });
  await new Promise<void>((resolve) => {
    server.listen(0, "127.0.0.1", resolve);
  });
  const { port } = server.address() as AddressInfo;
  return {
    address: `http://127.0.0.1:${port}`,
    loseReplyOf: (method) => {
      armed.add(method);
    },
    lost: () => lost,
    stop: async () => {
      for (const session of sessions) session.destroy();
      upstream.destroy();
      await new Promise<void>((resolve) => {
        server.close(() => resolve());
      });
    },
  };
};
