/** Which container images this machine may run, and as which local command. */
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { isAbsolute } from "node:path";
import { z } from "zod";
import { RpcError } from "../protocol/service.js";

const imageEntry = z.strictObject({
  entrypoint: z.array(z.string().min(1)),
  hostCommands: z.boolean().optional(),
  env: z.record(z.string(), z.string()).optional(),
});

const imagesFileSchema = z.strictObject({ images: z.record(z.string(), imageEntry) });

/** One allowed image: the command that stands for it on this machine. */
type ImageEntry = z.infer<typeof imageEntry>;

/** The parts of an image reference: `name[:tag][@digest]`. */
export interface ImageReference {
  readonly name: string;
  readonly tag?: string;
  readonly digest?: string;
}

/** Splits an image reference; a colon before the last slash is a registry's port and not a tag. */
export const parseImage = (image: string): ImageReference => {
  const at = image.indexOf("@");
  const digest = at < 0 ? undefined : image.slice(at + 1);
  const tagged = at < 0 ? image : image.slice(0, at);
  const colon = tagged.lastIndexOf(":");
  const hasTag = colon > tagged.lastIndexOf("/");
  const tag = hasTag ? tagged.slice(colon + 1) : undefined;
  return {
    name: hasTag ? tagged.slice(0, colon) : tagged,
    ...(tag === undefined ? {} : { tag }),
    ...(digest === undefined ? {} : { digest }),
  };
};

const readImages = (file: string): Readonly<Record<string, ImageEntry>> => {
  if (file === "") {
    throw new RpcError(
      "FAILED_PRECONDITION",
      "This local cloud has no list of container images: start it with --images and the path of a JSON file.",
    );
  }
  let text: string;
  try {
    text = readFileSync(file, "utf8");
  } catch (cause) {
    throw new RpcError(
      "FAILED_PRECONDITION",
      `The list of container images ${file} cannot be read: create it with {"images": {"<image name>": {"entrypoint": ["node", "/path/to/main.mjs"]}}}.`,
      { cause },
    );
  }
  try {
    return imagesFileSchema.parse(JSON.parse(text)).images;
  } catch (cause) {
    const reason = cause instanceof z.ZodError ? z.prettifyError(cause) : String(cause);
    throw new RpcError(
      "FAILED_PRECONDITION",
      `The list of container images ${file} is not valid: ${reason}`,
      { cause },
    );
  }
};

/** What to execute for an image, its own command (if allowed) and its arguments. */
export interface LocalCommand {
  readonly program: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
}

/**
 * Finds the local command of an image. The file is read each time, so that an image can be added while the
 * cloud runs. A command of the specification's own runs with the rights of the host, hence `hostCommands`.
 */
export const resolveImage = (
  file: string,
  spec: {
    readonly image: string;
    readonly command?: readonly string[];
    readonly args?: readonly string[];
  },
): LocalCommand => {
  const { name } = parseImage(spec.image);
  const images = readImages(file);
  const entry = Object.hasOwn(images, name) ? images[name] : undefined;
  if (entry === undefined) {
    throw new RpcError(
      "FAILED_PRECONDITION",
      `Image "${name}" is not in ${file}: add it under "images" with the local entrypoint that stands for it.`,
    );
  }
  const command = spec.command ?? [];
  if (command.length > 0 && entry.hostCommands !== true) {
    throw new RpcError(
      "FAILED_PRECONDITION",
      `Image "${name}" was asked to run its own command (${command[0] ?? ""} ...), which would run with this machine's rights: set "hostCommands": true for it in ${file} if that is wanted.`,
    );
  }
  const [program, ...rest] = [
    ...(command.length > 0 ? command : entry.entrypoint),
    ...(spec.args ?? []),
  ];
  if (program === undefined) {
    throw new RpcError(
      "FAILED_PRECONDITION",
      `Image "${name}" has no entrypoint in ${file}, and the task names no command: give one of them.`,
    );
  }
  return { program, args: rest, env: entry.env ?? {} };
};

/**
 * Replaces `$(NAME)` by the variable's value as a container's command and arguments do; an unknown name stays as it
 * is (a shell's own `$(...)` among them), and `$$(NAME)` is the escaped form.
 */
export const expandVariables = (text: string, env: Readonly<Record<string, string>>): string =>
  text.replaceAll(/(\$?)\$\(([A-Za-z_][A-Za-z0-9_]*)\)/g, (whole, escape: string, name: string) => {
    if (escape !== "") return `$(${name})`;
    return Object.hasOwn(env, name) ? (env[name] ?? "") : whole;
  });

/** Variables in their order, each of which may refer to the ones before it. */
export const expandEnvironment = (
  variables: Iterable<readonly [string, string]>,
): Readonly<Record<string, string>> => {
  const env: Record<string, string> = {};
  for (const [name, value] of variables) env[name] = expandVariables(value, env);
  return env;
};

/**
 * A digest of what an image runs: its entry in the list and the files that the entry names, as the digest of a real
 * image changes with its content. An image that cannot run has its reason for a digest.
 */
export const imageFingerprint = (
  file: string,
  spec: { readonly image: string; readonly command?: readonly string[] },
): string => {
  const hash = createHash("sha256");
  try {
    const local = resolveImage(file, spec);
    hash.update(JSON.stringify(local));
    for (const word of [local.program, ...local.args]) {
      if (isAbsolute(word)) hash.update(readIfThere(word));
    }
  } catch (error) {
    hash.update(String(error));
  }
  return hash.digest("hex");
};

const readIfThere = (path: string): Buffer => {
  try {
    return readFileSync(path);
  } catch {
    return Buffer.alloc(0);
  }
};
