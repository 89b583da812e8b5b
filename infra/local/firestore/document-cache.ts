/** Documents that were read or written last, in memory: a transaction reads each of its documents twice. */
import type { StoredDocument } from "./documents.js";

/** The documents used last, by name; `undefined` stands for one that is known to be missing. */
export interface DocumentCache {
  readonly has: (name: string) => boolean;
  readonly get: (name: string) => StoredDocument | undefined;
  readonly set: (name: string, document: StoredDocument | undefined) => void;
}

const documentsMax = 10_000;
const storedBytesMax = 8 * 1_048_576;

const bytesOf = (document: StoredDocument | undefined): number => document?.storedBytes ?? 0;

/** An empty cache, which forgets what was used longest ago. */
export const createDocumentCache = (): DocumentCache => {
  const documents = new Map<string, StoredDocument | undefined>();
  let bytes = 0;

  const remove = (name: string): void => {
    bytes -= bytesOf(documents.get(name));
    documents.delete(name);
  };
  return {
    has: (name) => documents.has(name),
    get: (name) => {
      const document = documents.get(name);
      documents.delete(name);
      documents.set(name, document);
      return document;
    },
    set: (name, document) => {
      remove(name);
      documents.set(name, document);
      bytes += bytesOf(document);
      for (const oldest of documents.keys()) {
        if (documents.size <= documentsMax && bytes <= storedBytesMax) return;
        remove(oldest);
      }
    },
  };
};
