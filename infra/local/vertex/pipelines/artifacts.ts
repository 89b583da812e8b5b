/** Moves artifacts between Cloud Storage and a task's folder on this machine. */
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { mkdir, readdir, stat, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { CloudServices } from "../../cloud.js";
import { RpcError } from "../../protocol/service.js";

type Storage = CloudServices["storage"];

/** A place in Cloud Storage. */
export interface GcsPlace {
  readonly bucket: string;
  readonly name: string;
}

/** Reads `gs://bucket/name`; undefined for any other uri. */
export const gcsPlace = (uri: string): GcsPlace | undefined => {
  const match = /^gs:\/\/([^/]+)\/?(.*)$/s.exec(uri);
  return match === null ? undefined : { bucket: match[1] ?? "", name: match[2] ?? "" };
};

/** Where an artifact lies below a task's folder; throws RpcError for what has no place there. */
export const localPathOf = (folder: string, uri: string): string => {
  const place = gcsPlace(uri);
  if (place === undefined || place.name === "") {
    throw new RpcError(
      "FAILED_PRECONDITION",
      `"${uri}" is not a gs://bucket/object and has no local path.`,
    );
  }
  const segments = [place.bucket, ...place.name.split("/")];
  if (segments.some((segment) => segment === ".." || segment === "." || segment.includes("\0"))) {
    throw new RpcError("FAILED_PRECONDITION", `"${uri}" cannot be a path on this machine.`);
  }
  return join(folder, "gcs", ...segments);
};

/** The objects that an artifact consists of: the object itself, or all below it as a folder. */
const objectsOf = async (storage: Storage, place: GcsPlace): Promise<readonly string[]> => {
  const folderPrefix = place.name.endsWith("/") ? place.name : `${place.name}/`;
  const names = await storage.list(place.bucket, place.name);
  return names.filter(
    (name) => (name === place.name || name.startsWith(folderPrefix)) && !name.endsWith("/"),
  );
};

/** Whether any object exists at the uri. */
export const artifactExists = async (storage: Storage, uri: string): Promise<boolean> => {
  const place = gcsPlace(uri);
  if (place === undefined) return true;
  return (await listed(storage, place)).length > 0;
};

/** A bucket that does not exist holds no objects. */
const listed = async (storage: Storage, place: GcsPlace): Promise<readonly string[]> => {
  try {
    return await objectsOf(storage, place);
  } catch (error) {
    if (error instanceof RpcError && error.status === "NOT_FOUND") return [];
    throw error;
  }
};

/** Brings an input artifact below the task's folder; throws RpcError NOT_FOUND when there is nothing. */
export const download = async (storage: Storage, folder: string, uri: string): Promise<void> => {
  const place = gcsPlace(uri);
  const path = localPathOf(folder, uri);
  if (place === undefined) return;
  const names = await listed(storage, place);
  if (names.length === 0) {
    throw new RpcError("NOT_FOUND", `Artifact ${uri} does not exist: nothing was written there.`);
  }
  for (const name of names) {
    const target = name === place.name ? path : localPathOf(folder, `gs://${place.bucket}/${name}`);
    await mkdir(dirname(target), { recursive: true });
    await writeFile(target, await storage.open(place.bucket, name));
  }
};

const filesBelow = async (path: string): Promise<readonly string[]> => {
  const kind = await stat(path).catch(() => undefined);
  if (kind === undefined) return [];
  if (kind.isFile()) return [""];
  const entries = await readdir(path, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(path.length + 1))
    .toSorted();
};

/** Copies what a task left at an output's local path to its uri; false when it left nothing. */
export const upload = async (storage: Storage, folder: string, uri: string): Promise<boolean> => {
  const place = gcsPlace(uri);
  if (place === undefined || place.name === "") return false;
  const path = localPathOf(folder, uri);
  const files = await filesBelow(path);
  for (const file of files) {
    const name = file === "" ? place.name : `${place.name.replace(/\/$/, "")}/${file}`;
    await storage.write(
      place.bucket,
      name,
      createReadStream(file === "" ? path : join(path, file)),
    );
  }
  return files.length > 0;
};

/** A digest of an artifact's content, so that changed bytes are changed inputs; undefined when there is none. */
export const digestOf = async (storage: Storage, uri: string): Promise<string | undefined> => {
  const place = gcsPlace(uri);
  if (place === undefined) return undefined;
  const names = await listed(storage, place);
  if (names.length === 0) return undefined;
  const hash = createHash("sha256");
  for (const name of names) {
    const content = createHash("sha256");
    for await (const chunk of await storage.open(place.bucket, name)) content.update(chunk);
    hash.update(`${name.slice(place.name.length)}\0${content.digest("hex")}\0`);
  }
  return hash.digest("hex");
};
