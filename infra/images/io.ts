/**
 * Reading and writing by address: a local path or gs://bucket/object. Objects come from the JSON API
 * of a local Cloud Storage when one is configured, else from Vertex AI's mount, else from Google's
 * JSON API with the machine's own credentials (prediction containers have no mount).
 */
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, readFile, readdir, stat, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { z } from "zod";
import { explain, ImageError } from "./arguments.js";
import { imageConfig } from "./config.js";

const config = imageConfig();
const attemptsMax = 4;
const retryDelayMs = 200;

/** Bucket and object of a gs:// address. */
interface ObjectAddress {
  readonly bucket: string;
  readonly object: string;
}

function parseAddress(address: string): ObjectAddress | undefined {
  const match = /^gs:\/\/([^/]+)\/(.*)$/.exec(address);
  return match === null ? undefined : { bucket: match[1] ?? "", object: match[2] ?? "" };
}

/** Base URL of the JSON API and the headers that it needs. */
async function storageApi(): Promise<{ readonly url: string; readonly headers: Headers }> {
  if (config.storageHost !== undefined) {
    const host = config.storageHost.replace(/\/$/, "");
    const url = /^https?:/.test(host) ? host : `http://${host}`;
    return { url, headers: new Headers() };
  }
  const { GoogleAuth } = await import("google-auth-library");
  const scopes = ["https://www.googleapis.com/auth/devstorage.read_write"];
  const token = await new GoogleAuth({ scopes }).getAccessToken();
  const headers = new Headers({ authorization: `Bearer ${token ?? ""}` });
  return { url: "https://storage.googleapis.com", headers };
}

/** One GET with a few retries on 429, 5xx and broken connections. */
async function get(url: string, headers: Headers): Promise<Response> {
  for (let attempt = 1; ; attempt += 1) {
    const isLast = attempt === attemptsMax;
    try {
      const response = await fetch(url, { headers });
      if (isLast || (response.status !== 429 && response.status < 500)) return response;
    } catch (cause) {
      if (isLast) throw cause;
    }
    await new Promise((resolve) => {
      setTimeout(resolve, retryDelayMs * 2 ** attempt);
    });
  }
}

/** Where an address lies on this machine's disk; undefined when it must come over HTTP. */
function localPath(address: string): string | undefined {
  const parsed = parseAddress(address);
  if (parsed === undefined) return address;
  if (config.storageHost !== undefined) return undefined;
  return existsSync(config.mount) ? join(config.mount, parsed.bucket, parsed.object) : undefined;
}

/** The file's path when its address is one on this machine's disk. */
export const localFile = (address: string): string | undefined => {
  const isForeign = parseAddress(address) === undefined && /^[a-z][a-z0-9+.-]*:\/\//i.test(address);
  return isForeign ? undefined : localPath(address);
};

/** The bytes at a path or gs:// address; an error names the address and what went wrong. */
export async function readBytes(address: string): Promise<Uint8Array<ArrayBuffer>> {
  const path = localPath(address);
  const parsed = parseAddress(address);
  const scheme = /^([a-z][a-z0-9+.-]*):\/\//i.exec(address)?.[1];
  if (parsed === undefined && scheme !== undefined) {
    throw new ImageError(
      `cannot read ${address}: ${scheme}:// is not read here, only gs://; copy the data to a bucket`,
    );
  }
  try {
    if (path !== undefined) return new Uint8Array(await readFile(path));
    const { url, headers } = await storageApi();
    const object = encodeURIComponent(parsed?.object ?? "");
    const response = await get(
      `${url}/storage/v1/b/${parsed?.bucket}/o/${object}?alt=media`,
      headers,
    );
    if (response.status === 404) throw new ImageError("HTTP 404: there is no such object");
    if (!response.ok) throw new ImageError(`HTTP ${response.status} ${response.statusText}`);
    return new Uint8Array(await response.arrayBuffer());
  } catch (cause) {
    throw new ImageError(`cannot read ${address}: ${explain(cause)}`, { cause });
  }
}

/** Writes the bytes to a path or gs:// address. */
export async function writeBytes(address: string, bytes: Uint8Array): Promise<void> {
  const path = localPath(address);
  const parsed = parseAddress(address);
  if (path !== undefined) return writeLocal(path, bytes);
  const { url, headers } = await storageApi();
  const query = new URLSearchParams({ uploadType: "media", name: parsed?.object ?? "" });
  const response = await fetch(
    `${url}/upload/storage/v1/b/${parsed?.bucket}/o?${query.toString()}`,
    { method: "POST", headers, body: new Uint8Array(bytes) },
  );
  if (!response.ok) throw new ImageError(`cannot write ${address}: HTTP ${response.status}`);
}

/** SHA-256 over the files behind an address, in order of their names. */
export async function contentDigest(address: string): Promise<string> {
  const hash = createHash("sha256");
  for (const file of await expandAddress(address)) hash.update(await readBytes(file));
  return hash.digest("hex");
}

/** The text at a path or gs:// address. */
export async function readText(address: string): Promise<string> {
  return new TextDecoder().decode(await readBytes(address));
}

const listing = z.object({
  items: z.array(z.object({ name: z.string() })).default([]),
  nextPageToken: z.string().optional(),
});

/** Addresses of all objects below a gs:// prefix, in order of their names. */
async function listObjects({ bucket, object: prefix }: ObjectAddress): Promise<readonly string[]> {
  const { url, headers } = await storageApi();
  const names: string[] = [];
  let pageToken = "";
  do {
    const query = new URLSearchParams({ prefix, pageToken });
    const response = await get(`${url}/storage/v1/b/${bucket}/o?${query.toString()}`, headers);
    if (!response.ok)
      throw new ImageError(`cannot list gs://${bucket}/${prefix}: HTTP ${response.status}`);
    const page = listing.parse(await response.json());
    names.push(...page.items.map((item) => item.name));
    pageToken = page.nextPageToken ?? "";
  } while (pageToken !== "");
  return names.toSorted().map((name) => `gs://${bucket}/${name}`);
}

/** Whether a listed name is a data file and not a marker or a folder. */
const isData = (file: string): boolean => !/(^|\/)[_.][^/]*$/.test(file) && !file.endsWith("/");

/**
 * Files behind a dataset's address: itself, or every file in it when it ends with "/" or is a local
 * folder. Names that start with "_" or "." (markers such as _SUCCESS) are left out.
 */
export async function expandAddress(address: string): Promise<readonly string[]> {
  const path = localPath(address);
  const parsed = parseAddress(address);
  if (path === undefined) {
    if (parsed === undefined || !address.endsWith("/")) return [address];
    return (await listObjects(parsed)).filter(isData);
  }
  if (!existsSync(path) || !(await stat(path)).isDirectory()) return [address];
  const names = (await readdir(path)).toSorted();
  return names.map((name) => join(path, name)).filter(isData);
}

/** Writes a file at a local path, making its folders. */
export async function writeLocal(path: string, content: string | Uint8Array): Promise<void> {
  try {
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, content);
  } catch (cause) {
    throw new ImageError(`cannot write ${path}: ${explain(cause)}`, { cause });
  }
}
