/** What a route is given and what it answers. */
import type { ContinuoEvent } from "../../../events/index.js";
import type { ModelName } from "../../../events/ids.js";
import type { JournalDecision } from "../../ports/state.js";
import type { Ports } from "../../ports/ports.js";

/** What one event did to one model. */
export interface Handled {
  readonly model: ModelName | null;
  readonly decisions: readonly JournalDecision[];
}

/** What every route works with. */
export interface ApiContext {
  readonly ports: Ports;
  /** Whether this runs against a local cloud, where a tick need not take a minute. */
  readonly isLocal: boolean;
  /** Where the endpoints are: `projects/<project>/locations/<region>`. */
  readonly location: string;
  /** Who asks, for the journal. */
  readonly by: string;
  /** Takes an event all the way: journal, decide, commit, perform. */
  readonly handle: (
    event: ContinuoEvent,
    models?: readonly ModelName[],
  ) => Promise<readonly Handled[]>;
  /** A new random id. */
  readonly newId: () => string;
  /** Logs an error that the reply hides. */
  readonly report: (error: unknown) => void;
}

/** One request, whatever carried it. */
export interface ApiRequest {
  readonly method: string;
  /** Begins with a slash and has no query. */
  readonly path: string;
  readonly query: URLSearchParams;
  readonly body: string;
}

/** One reply. */
export type ApiReply =
  | { readonly kind: "json"; readonly status: number; readonly body: unknown }
  | { readonly kind: "text"; readonly status: number; readonly text: string }
  /** Server-sent events until the client leaves. */
  | { readonly kind: "stream"; readonly model: ModelName | null };

/** A route's work: parameters of its path come decoded. */
export type Handler = (
  context: ApiContext,
  request: ApiRequest,
  parameters: Readonly<Record<string, string>>,
) => Promise<ApiReply>;

/** A reply of status 200. */
export const ok = (body: unknown): ApiReply => ({ kind: "json", status: 200, body });

/** A reply of status 201: something was recorded. */
export const created = (body: unknown): ApiReply => ({ kind: "json", status: 201, body });
