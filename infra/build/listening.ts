/** Whether somebody listens. */
import { connect, type NetConnectOpts } from "node:net";

/** Connects and leaves at once; never rejects. */
export const isListening = (at: NetConnectOpts): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = connect(at);
    socket.once("connect", () => {
      socket.destroy();
      resolve(true);
    });
    socket.once("error", () => {
      resolve(false);
    });
  });
