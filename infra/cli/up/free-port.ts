/** Ports that nobody listens on. */
import { createServer } from "node:net";
import { failed } from "../errors.js";

const portsTriedMax = 50;

const isFree = async (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const probe = createServer();
    probe.once("error", () => {
      resolve(false);
    });
    probe.listen(port, "127.0.0.1", () => {
      probe.close(() => {
        resolve(true);
      });
    });
  });

/** The first free port from a wanted one upwards. */
export const freePort = async (wanted: number): Promise<number> => {
  for (let port = wanted; port < Math.min(wanted + portsTriedMax, 65_536); port += 1) {
    if (await isFree(port)) return port;
  }
  throw failed(
    `no port is free from ${wanted} to ${Math.min(wanted + portsTriedMax, 65_536) - 1}; choose another with --port`,
  );
};
