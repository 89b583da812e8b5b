/** Object bodies as files: written under a temporary name, renamed whole, never half visible. */
import { createHash, randomUUID } from "node:crypto";
import { createReadStream, createWriteStream, mkdirSync, readdirSync, rmSync } from "node:fs";
import { link, mkdir, open, rename, rm, stat, truncate } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { checksumming, type Checksums } from "./checksums.js";

/** A body that arrived completely and waits for its place. */
export interface ReceivedBody extends Checksums {
  readonly temporary: string;
}

/** A part of a body, both ends included. */
export interface ByteRange {
  readonly first: number;
  readonly last: number;
}

/** What the rows still name. */
export interface KnownFiles {
  readonly isPlaced: (file: string) => boolean;
  readonly uploads: readonly string[];
}

/** The folder of all bodies; file names are digests, so no object name can leave it. */
export interface BodyFolder {
  readonly path: string;
  /** Writes a stream to a temporary file; on any failure the file is removed. */
  receive(source: AsyncIterable<Buffer>): Promise<ReceivedBody>;
  /** Moves a received body to its final name, which is returned. */
  place(body: ReceivedBody, bucket: string, name: string, generation: number): Promise<string>;
  /** Opens a body; once open, it stays readable even when its object is replaced. */
  open(file: string, range?: ByteRange): Promise<Readable>;
  /** A second name for a placed body; bodies never change, so a hard link is a copy. */
  duplicate(file: string, sums: Checksums): Promise<ReceivedBody>;
  remove(file: string): Promise<void>;
  discard(body: ReceivedBody): Promise<void>;
  /** Appends to an unfinished upload at an offset and returns its length, also when the sender breaks off. */
  append(upload: string, offset: number, source: AsyncIterable<Buffer>): Promise<number>;
  /** How much of an unfinished upload is there. */
  received(upload: string): Promise<number>;
  /** Cuts an unfinished upload back to a multiple of `unit` and returns its length. */
  keepWhole(upload: string, unit: number): Promise<number>;
  /** Takes a finished upload as a body. */
  adopt(upload: string): Promise<ReceivedBody>;
  removeUpload(upload: string): Promise<void>;
  /** Deletes what a crash left behind: placed files without a row, bytes without a session. */
  sweep(known: KnownFiles): void;
}

const digest = (bucket: string, name: string): string =>
  createHash("sha256").update(bucket).update("\0").update(name).digest("hex");

const flush = async (file: string): Promise<void> => {
  const handle = await open(file);
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
};

/**
 * Opens the folder, creating it, and drops what a crash left half received. `isFlushed`: a placed body also survives a
 * loss of power.
 */
export const bodyFolder = (path: string, isFlushed = false): BodyFolder => {
  const incoming = join(path, "incoming");
  const uploads = join(path, "uploads");
  rmSync(incoming, { recursive: true, force: true });
  mkdirSync(incoming, { recursive: true });
  mkdirSync(uploads, { recursive: true });
  const remove = (file: string) => rm(join(path, file), { force: true });
  const uploadPath = (upload: string) =>
    join(uploads, createHash("sha256").update(upload).digest("hex"));

  const received = async (upload: string): Promise<number> => {
    try {
      return (await stat(uploadPath(upload))).size;
    } catch {
      return 0;
    }
  };

  return {
    path,
    remove,
    received,
    receive: async (source) => {
      const temporary = join(incoming, randomUUID());
      const sums = checksumming();
      try {
        await pipeline(
          source,
          async function* check(chunks: AsyncIterable<Buffer>) {
            for await (const chunk of chunks) {
              sums.update(chunk);
              yield chunk;
            }
          },
          createWriteStream(temporary),
        );
      } catch (error) {
        await rm(temporary, { force: true });
        throw error;
      }
      return { temporary, ...sums.finish() };
    },
    place: async (body, bucket, name, generation) => {
      const hash = digest(bucket, name);
      const file = join(hash.slice(0, 2), `${hash}-${generation}`);
      const target = join(path, file);
      await mkdir(dirname(target), { recursive: true });
      if (isFlushed) await flush(body.temporary);
      await rename(body.temporary, target);
      if (isFlushed) for (const folder of [dirname(target), path]) await flush(folder);
      return file;
    },
    open: async (file, range) => {
      const handle = await open(join(path, file));
      return handle.createReadStream(
        range === undefined ? {} : { start: range.first, end: range.last },
      );
    },
    duplicate: async (file, sums) => {
      const temporary = join(incoming, randomUUID());
      await link(join(path, file), temporary);
      return { temporary, ...sums };
    },
    discard: (body) => rm(body.temporary, { force: true }),
    append: async (upload, offset, source) => {
      const file = uploadPath(upload);
      const flags = offset === 0 ? "w" : "r+";
      try {
        await pipeline(source, createWriteStream(file, { flags, start: offset }));
      } catch (error) {
        // A sender that breaks off keeps what arrived; a disk that refuses is the caller's to report.
        if (error instanceof Error && "syscall" in error && error.syscall === "write") throw error;
      }
      return received(upload);
    },
    keepWhole: async (upload, unit) => {
      const length = await received(upload);
      const kept = length - (length % unit);
      if (kept < length) await truncate(uploadPath(upload), kept);
      return kept;
    },
    adopt: async (upload) => {
      const temporary = uploadPath(upload);
      if ((await received(upload)) === 0) {
        await pipeline([], createWriteStream(temporary));
      }
      const sums = checksumming();
      for await (const chunk of createReadStream(temporary)) {
        if (Buffer.isBuffer(chunk)) sums.update(chunk);
      }
      return { temporary, ...sums.finish() };
    },
    removeUpload: (upload) => rm(uploadPath(upload), { force: true }),
    sweep: ({ isPlaced, uploads: sessions }) => {
      const kept = new Set(sessions.map(uploadPath));
      for (const file of readdirSync(uploads)) {
        if (!kept.has(join(uploads, file))) rmSync(join(uploads, file), { force: true });
      }
      const folders = readdirSync(path).filter((name) => /^[0-9a-f]{2}$/.test(name));
      for (const file of folders.flatMap((name) =>
        readdirSync(join(path, name)).map((entry) => join(name, entry)),
      )) {
        if (!isPlaced(file)) rmSync(join(path, file), { force: true });
      }
    },
  };
};
