/** What an acknowledgement survives: the death of this process, or also the loss of power. */
import { closeSync, fdatasync, openSync } from "node:fs";
import type { ServerResponse } from "node:http";
import { join } from "node:path";
import type Database from "libsql";
import { z } from "zod";
import type { ServedMethod } from "./protocol/dispatch.js";

/** The choices of `--durable`. */
export const durabilities = ["process", "power"] as const;

/** Makes replies wait for the disk. */
export interface Settling {
  /** Resolves when everything that was committed before the call is on the disk. */
  readonly settled: () => Promise<void>;
  readonly close: () => void;
}

const changesRow = z.object({ changes: z.number() });

/**
 * A commit writes to the write-ahead log; the kernel keeps that when the process dies. For a loss of power the log must
 * also be flushed: once for all the replies that wait, so that many callers share the price of one flush.
 */
export const settling = (db: Database.Database, folder: string): Settling => {
  const changes = db.prepare("SELECT total_changes() AS changes");
  const countChanges = (): number => changesRow.parse(changes.get()).changes;
  let file: number | undefined;
  let flushedChanges = countChanges();
  let running: Promise<void> | undefined;
  let next: Promise<void> | undefined;

  const flush = async (): Promise<void> => {
    const upTo = countChanges();
    file ??= openSync(join(folder, "cloud.db-wal"), "r");
    const descriptor = file;
    await new Promise<void>((resolve, reject) => {
      fdatasync(descriptor, (error) => {
        if (error === null) resolve();
        else reject(error);
      });
    });
    flushedChanges = upTo;
  };
  const begin = (): Promise<void> => {
    running = flush().finally(() => {
      running = undefined;
    });
    return running;
  };

  return {
    settled: async () => {
      if (countChanges() === flushedChanges) return;
      // A flush that runs may have begun before the commit: the next one is sure to hold it.
      next ??= (running ?? Promise.resolve())
        .catch(() => undefined)
        .then(() => {
          next = undefined;
          return begin();
        });
      await next;
    },
    close: () => {
      if (file !== undefined) closeSync(file);
    },
  };
};

async function* each(replies: AsyncIterable<unknown>, settled: () => Promise<void>) {
  for await (const reply of replies) {
    await settled();
    yield reply;
  }
}

/** The same RPCs, each answered when what it did is settled. */
export const withSettling = (
  methods: readonly ServedMethod[],
  settled: () => Promise<void>,
): readonly ServedMethod[] =>
  methods.map((one) => ({
    ...one,
    unary: async (request, context) => {
      const reply = await one.unary(request, context);
      await settled();
      return reply;
    },
    serverStream: (request, context) => each(one.serverStream(request, context), settled),
    bidi: (requests, context) => each(one.bidi(requests, context), settled),
  }));

/** The same for a plain HTTP reply: its end waits, and a small reply is sent as one piece at its end. */
export const settleReply = (response: ServerResponse, settled: () => Promise<void>): void => {
  const end = response.end.bind(response);
  response.end = ((...body: Parameters<typeof end>) => {
    settled().then(
      () => end(...body),
      (error: unknown) =>
        response.destroy(error instanceof Error ? error : new Error(String(error))),
    );
    return response;
  }) as typeof response.end;
};
