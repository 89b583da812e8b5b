/** Descriptors as they ship: the JSON of protobufjs. */

/** One `google.api.http` binding of a method. */
export interface HttpBinding {
  readonly verb: string;
  readonly template: string;
  /** "*", a field of the request, or absent. */
  readonly body?: string;
}

/** A field. */
export interface RawField {
  readonly type: string;
  readonly id: number;
  readonly rule?: string;
  readonly keyType?: string;
}
/** An RPC. */
export interface RawMethod {
  readonly requestType: string;
  readonly responseType: string;
  readonly requestStream?: boolean;
  readonly responseStream?: boolean;
  readonly parsedOptions?: readonly Readonly<Record<string, unknown>>[];
}

/** A node of protobufjs' JSON descriptor: a package, message, enum or service. */
export interface RawNode {
  readonly nested?: Readonly<Record<string, RawNode>>;
  readonly fields?: Readonly<Record<string, RawField>>;
  readonly oneofs?: Readonly<Record<string, { readonly oneof: readonly string[] }>>;
  readonly values?: Readonly<Record<string, number>>;
  readonly methods?: Readonly<Record<string, RawMethod>>;
}
