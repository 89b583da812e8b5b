/** A stored document and how it looks on the wire. */
import { project, type FieldPath } from "./field-paths.js";
import { timestampOf, type Fields, type Timestamp } from "./values.js";

/** A document as it is stored; times in microseconds since 1970. */
export interface StoredDocument {
  readonly name: string;
  readonly fields: Fields;
  readonly createdMicros: number;
  readonly updatedMicros: number;
  /** Length of the stored text, known once the document was stored. */
  readonly storedBytes?: number;
}

/** The reply's form of a document. */
export interface DocumentReply {
  readonly name: string;
  readonly fields: Fields;
  readonly createTime: Timestamp;
  readonly updateTime: Timestamp;
}

/** A document for a reply, cut down to a mask when there is one. */
export const documentReply = (
  document: StoredDocument,
  mask: readonly FieldPath[] | undefined,
): DocumentReply => ({
  name: document.name,
  fields: mask === undefined ? document.fields : project(document.fields, mask),
  createTime: timestampOf(document.createdMicros),
  updateTime: timestampOf(document.updatedMicros),
});
