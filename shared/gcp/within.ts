/** A limit on what has none of its own. */
import { UnavailableError } from "../domain/errors.js";

/**
 * Gives up waiting after a while. The work itself goes on: whoever sets a limit must not mind that it may still succeed.
 * Firestore's client retries a lost connection for six minutes, long after the caller of a function has hung up.
 */
export const within = async <Result>(
  limitMs: number,
  what: string,
  work: Promise<Result>,
): Promise<Result> => {
  let timer: NodeJS.Timeout | undefined;
  const limit = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      reject(
        new UnavailableError(
          `Could not ${what} within ${String(limitMs / 1000)} s. It is tried again; check that the cloud can be reached.`,
        ),
      );
    }, limitMs);
  });
  try {
    return await Promise.race([work, limit]);
  } finally {
    clearTimeout(timer);
  }
};
