/** The managed copy of a model's artifacts: what a container is given, whatever happens to the originals. */
import type { CloudContext } from "../../cloud.js";
import { RpcError } from "../../protocol/service.js";

/** A place in Cloud Storage. */
export interface GcsPlace {
  readonly bucket: string;
  readonly path: string;
}

/** Reads `gs://bucket/path`, without a slash at the path's end. */
export const parseGcsUri = (field: string, uri: string): GcsPlace => {
  const match = /^gs:\/\/([a-z0-9][a-z0-9._-]{1,220}[a-z0-9])(?:\/(.*))?$/.exec(uri);
  if (match === null) {
    throw new RpcError(
      "INVALID_ARGUMENT",
      `Invalid ${field} "${uri}": expected gs://{bucket}/{directory}.`,
    );
  }
  return { bucket: match[1] ?? "", path: (match[2] ?? "").replace(/\/+$/, "") };
};

/** The bucket that holds managed copies; it belongs to the service and not to the project. */
export const managedBucket = (context: CloudContext): string =>
  `caip-tenant-${context.settings.projectNumber}-${context.settings.region}`;

const namesUnder = async (
  context: CloudContext,
  { bucket, path }: GcsPlace,
): Promise<readonly string[]> => {
  try {
    return await context.services.storage.list(bucket, path === "" ? "" : `${path}/`);
  } catch (error) {
    if (error instanceof RpcError && error.status === "NOT_FOUND") return [];
    throw error;
  }
};

/** The names of the artifacts under a URI; refuses an empty directory as the service does. */
export const artifactNames = async (
  context: CloudContext,
  uri: string,
): Promise<readonly string[]> => {
  const names = await namesUnder(context, parseGcsUri("model.artifactUri", uri));
  const files = names.filter((name) => !name.endsWith("/"));
  if (files.length === 0) {
    throw new RpcError(
      "FAILED_PRECONDITION",
      `There are no files under "${uri}" to copy: write the model's artifacts there before uploading the model.`,
    );
  }
  return files;
};

const makeBucket = async (context: CloudContext, bucket: string): Promise<void> => {
  const url = `${context.address()}/storage/v1/b?project=${context.settings.projectId}`;
  const response = await fetch(url, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ name: bucket, location: context.settings.region }),
  });
  // 409: another upload has made it in the meantime.
  if (!response.ok && response.status !== 409) {
    throw new RpcError(
      "INTERNAL",
      `The bucket ${bucket} for managed artifacts could not be made: ${await response.text()}`,
    );
  }
};

/** Copies the artifacts under a URI to a managed prefix and returns that prefix as a URI. */
export const copyArtifacts = async (
  context: CloudContext,
  uri: string,
  folder: string,
  signal: AbortSignal,
): Promise<string> => {
  const from = parseGcsUri("model.artifactUri", uri);
  const names = await artifactNames(context, uri);
  const bucket = managedBucket(context);
  const { storage } = context.services;
  // Opened when the first byte is wanted, so that a refused copy leaves no file open.
  async function* bytesOf(name: string): AsyncGenerator<Buffer> {
    yield* await storage.open(from.bucket, name);
  }
  for (const name of names) {
    signal.throwIfAborted();
    const relative = from.path === "" ? name : name.slice(from.path.length + 1);
    const target = `${folder}/artifacts/${relative}`;
    try {
      await storage.write(bucket, target, bytesOf(name));
    } catch (error) {
      if (!(error instanceof RpcError) || error.status !== "NOT_FOUND") throw error;
      await makeBucket(context, bucket);
      await storage.write(bucket, target, bytesOf(name));
    }
  }
  return `gs://${bucket}/${folder}/artifacts`;
};

/** Deletes a managed copy; what cannot be deleted is left and reported, since nothing refers to it any more. */
export const removeArtifacts = async (context: CloudContext, uri: string): Promise<void> => {
  const place = parseGcsUri("managed copy", uri);
  try {
    for (const name of await namesUnder(context, place)) {
      const url = `${context.address()}/storage/v1/b/${place.bucket}/o/${encodeURIComponent(name)}`;
      const response = await fetch(url, { method: "DELETE" });
      if (!response.ok && response.status !== 404) throw new Error(await response.text());
    }
  } catch (error) {
    context.log(`vertex: the artifacts at ${uri} were not deleted: ${String(error)}`);
  }
};
