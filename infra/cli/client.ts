/** The api over HTTP. */
import { z } from "zod";
import { settings, userName } from "./config.js";
import { CommandError, exitCodes } from "./errors.js";
import { readInstance } from "./up/folder.js";

/** Where the api is. */
export interface Connection {
  readonly address: string;
  readonly token: string | undefined;
}

/** Options of every command that talks to the api. */
export interface ConnectionOptions {
  readonly folder?: string;
  readonly address?: string;
  readonly token?: string;
}

/** Longer than the functions try by themselves, so that their reason is heard. */
const requestTimeoutMs = 60_000;

const errorBody = z.object({
  error: z.object({ code: z.string(), message: z.string(), details: z.unknown().optional() }),
});

/** A refusal of the api. */
export class ApiRefusal extends CommandError {
  readonly status: number;
  readonly details: unknown;

  constructor(status: number, message: string, details: unknown) {
    super(status === 404 ? exitCodes.notFound : exitCodes.failed, message);
    this.status = status;
    this.details = details;
  }
}

/** Finds the api: flags first, then the environment, then what `up` wrote. */
export const connect = (options: ConnectionOptions): Connection => {
  const address = options.address ?? settings.address;
  if (address !== undefined) {
    return { address: address.replace(/\/$/, ""), token: options.token ?? settings.token };
  }
  const folder = options.folder ?? settings.folder;
  const instance = readInstance(folder);
  if (instance === null) {
    throw new CommandError(
      exitCodes.unreachable,
      `nothing runs on ${folder}; start it with "npm start" or "continuo up", or name an api with --address`,
    );
  }
  return { address: `${instance.functions}/api`, token: options.token ?? instance.token };
};

/** Headers of every request. */
const headersOf = ({ token }: Connection): Readonly<Record<string, string>> => ({
  "x-continuo-user": userName(),
  ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
});

const unreachable = ({ address }: Connection, cause: unknown): CommandError =>
  new CommandError(
    exitCodes.unreachable,
    cause instanceof Error && cause.name === "TimeoutError"
      ? `${address} did not answer within ${requestTimeoutMs / 1000} s; functions.log in the state folder may tell why. What was asked may still happen: look with "continuo status" before asking again`
      : `nothing answers at ${address}; is it running? start it with "npm start" or "continuo up"`,
    { cause },
  );

/** Opens a request; throws when nothing answers or the api refuses. */
export const open = async (
  connection: Connection,
  path: string,
  init: RequestInit = {},
): Promise<Response> => {
  let response: Response;
  try {
    response = await fetch(`${connection.address}${path}`, {
      ...init,
      headers: headersOf(connection),
    });
  } catch (error) {
    throw unreachable(connection, error);
  }
  if (response.ok) return response;
  const text = await response.text();
  let parsed: z.ZodSafeParseResult<z.infer<typeof errorBody>>;
  try {
    parsed = errorBody.safeParse(JSON.parse(text));
  } catch {
    throw new ApiRefusal(
      response.status,
      `${connection.address} answered ${response.status}`,
      null,
    );
  }
  if (!parsed.success) {
    throw new ApiRefusal(
      response.status,
      `${connection.address} answered ${response.status}`,
      null,
    );
  }
  const { message, details } = parsed.data.error;
  const advice = response.status === 401 ? "; give the right --token" : "";
  throw new ApiRefusal(response.status, `${message}${advice}`, details);
};

/** One request to the api, its reply read with a schema. */
export const call = async <Schema extends z.ZodType>(
  connection: Connection,
  schema: Schema,
  request: { readonly method?: string; readonly path: string; readonly body?: unknown },
): Promise<z.infer<Schema>> => {
  const { method = "GET", path, body } = request;
  const response = await open(connection, path, {
    method,
    signal: AbortSignal.timeout(requestTimeoutMs),
    ...(body === undefined ? {} : { body: typeof body === "string" ? body : JSON.stringify(body) }),
  });
  const parsed = schema.safeParse(await response.json());
  if (!parsed.success) {
    throw new CommandError(
      exitCodes.failed,
      `${connection.address}${path} answered what this version of continuo does not understand: ${z.prettifyError(parsed.error)}`,
    );
  }
  return parsed.data;
};
