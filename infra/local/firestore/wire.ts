/** Messages of google.firestore.v1 as the protocol layer hands them over; absent fields are absent. */

/** google.protobuf.Timestamp. */
export interface WireTimestamp {
  readonly seconds?: string | number;
  readonly nanos?: number;
}

/** google.firestore.v1.Value before it was checked. */
export interface WireValue {
  readonly nullValue?: string;
  readonly booleanValue?: boolean;
  readonly integerValue?: string | number;
  readonly doubleValue?: number | string;
  readonly timestampValue?: WireTimestamp;
  readonly stringValue?: string;
  readonly bytesValue?: Buffer;
  readonly referenceValue?: string;
  readonly geoPointValue?: { readonly latitude?: number; readonly longitude?: number };
  readonly arrayValue?: { readonly values?: readonly WireValue[] };
  readonly mapValue?: { readonly fields?: Readonly<Record<string, WireValue>> };
}

/** google.firestore.v1.Document. */
export interface WireDocument {
  readonly name?: string;
  readonly fields?: Readonly<Record<string, WireValue>>;
  readonly createTime?: WireTimestamp;
  readonly updateTime?: WireTimestamp;
}

/** google.firestore.v1.DocumentMask. */
export interface WireMask {
  readonly fieldPaths?: readonly string[];
}

/** google.firestore.v1.Precondition. */
export interface WirePrecondition {
  readonly exists?: boolean;
  readonly updateTime?: WireTimestamp;
}

/** google.firestore.v1.DocumentTransform.FieldTransform. */
export interface WireTransform {
  readonly fieldPath?: string;
  readonly setToServerValue?: string;
  readonly increment?: WireValue;
  readonly maximum?: WireValue;
  readonly minimum?: WireValue;
  readonly appendMissingElements?: { readonly values?: readonly WireValue[] };
  readonly removeAllFromArray?: { readonly values?: readonly WireValue[] };
}

/** google.firestore.v1.Write; `verify` is field 5, which the public proto leaves out. */
export interface WireWrite {
  readonly update?: WireDocument;
  readonly delete?: string;
  readonly verify?: string;
  readonly transform?: {
    readonly document?: string;
    readonly fieldTransforms?: readonly WireTransform[];
  };
  readonly updateMask?: WireMask;
  readonly updateTransforms?: readonly WireTransform[];
  readonly currentDocument?: WirePrecondition;
}

/** google.firestore.v1.TransactionOptions. */
export interface WireTransactionOptions {
  readonly readOnly?: { readonly readTime?: WireTimestamp };
  readonly readWrite?: { readonly retryTransaction?: Buffer };
}

/** How a read chooses what it sees: at most one is set. */
export interface WireConsistency {
  readonly transaction?: Buffer;
  readonly newTransaction?: WireTransactionOptions;
  readonly readTime?: WireTimestamp;
}

/** google.firestore.v1.StructuredQuery.Filter. */
export interface WireFilter {
  readonly compositeFilter?: { readonly op?: string; readonly filters?: readonly WireFilter[] };
  readonly fieldFilter?: {
    readonly field?: { readonly fieldPath?: string };
    readonly op?: string;
    readonly value?: WireValue;
  };
  readonly unaryFilter?: { readonly field?: { readonly fieldPath?: string }; readonly op?: string };
}

/** google.firestore.v1.Cursor. */
export interface WireCursor {
  readonly values?: readonly WireValue[];
  readonly before?: boolean;
}

/** google.firestore.v1.StructuredQuery.FindNearest. */
export interface WireNearest {
  readonly vectorField?: { readonly fieldPath?: string };
  readonly queryVector?: WireValue;
  readonly distanceMeasure?: string;
  readonly limit?: { readonly value?: number } | number;
  readonly distanceResultField?: string;
  readonly distanceThreshold?: { readonly value?: number } | number;
}

/** google.firestore.v1.StructuredQuery. */
export interface WireQuery {
  readonly select?: { readonly fields?: readonly { readonly fieldPath?: string }[] };
  readonly from?: readonly { readonly collectionId?: string; readonly allDescendants?: boolean }[];
  readonly where?: WireFilter;
  readonly orderBy?: readonly {
    readonly field?: { readonly fieldPath?: string };
    readonly direction?: string;
  }[];
  readonly startAt?: WireCursor;
  readonly endAt?: WireCursor;
  readonly offset?: number;
  readonly limit?: { readonly value?: number } | number;
  readonly findNearest?: WireNearest;
}

/** google.firestore.v1.StructuredAggregationQuery.Aggregation. */
export interface WireAggregation {
  readonly alias?: string;
  readonly count?: { readonly upTo?: { readonly value?: string } | string };
  readonly sum?: { readonly field?: { readonly fieldPath?: string } };
  readonly avg?: { readonly field?: { readonly fieldPath?: string } };
}
