/** A listener without a client's cache: one target, from its beginning or from a resume token, until it is current. */
import { v1, type CollectionReference } from "firebase-admin/firestore";
import { grpcOptionsOf, testProject } from "./local-cloud.js";

/** What a listener was told until it was current; documents by their ids. */
export interface Listened {
  readonly changed: readonly string[];
  readonly gone: readonly string[];
  readonly isReset: boolean;
  readonly resumeToken: Uint8Array;
}

interface Reply {
  readonly targetChange?: {
    readonly targetChangeType: string;
    readonly targetIds?: readonly number[];
    readonly resumeToken?: Uint8Array;
  } | null;
  readonly documentChange?: { readonly document: { readonly name: string } } | null;
  readonly documentDelete?: { readonly document: string } | null;
  readonly documentRemove?: { readonly document: string } | null;
}

const root = `projects/${testProject}/databases/(default)`;
const idOf = (name: string): string => name.slice(name.lastIndexOf("/") + 1);

/** Listens to a collection at a host; each call opens a stream of its own and ends it. */
export const listenOnce =
  (host: string, collection: CollectionReference) =>
  async (resumeToken?: Uint8Array): Promise<Listened> => {
    const client = new v1.FirestoreClient(grpcOptionsOf(Number(new URL(`http://${host}`).port)));
    const stream = client.listen({
      // A stream of both directions says in its headers which database it is about.
      otherArgs: { headers: { "google-cloud-resource-prefix": root } },
    });
    const changed: string[] = [];
    const gone: string[] = [];
    let isReset = false;
    let isCurrent = false;
    const token = await new Promise<Uint8Array>((resolve, reject) => {
      stream.on("error", reject);
      stream.on("data", ({ targetChange, documentChange, ...removals }: Reply) => {
        if (documentChange) changed.push(idOf(documentChange.document.name));
        const removal = removals.documentDelete ?? removals.documentRemove;
        if (removal) gone.push(idOf(removal.document));
        isReset ||= targetChange?.targetChangeType === "RESET";
        isCurrent ||= targetChange?.targetChangeType === "CURRENT";
        // What is consistent is said without naming targets, after they are current.
        const isConsistent = isCurrent && (targetChange?.targetIds ?? []).length === 0;
        const latest = targetChange?.resumeToken ?? new Uint8Array();
        if (isConsistent && latest.length > 0) resolve(latest);
      });
      stream.write({
        database: root,
        addTarget: {
          targetId: 1,
          query: {
            parent: `${root}/documents`,
            structuredQuery: { from: [{ collectionId: collection.id }] },
          },
          ...(resumeToken === undefined ? {} : { resumeToken }),
        },
      });
    });
    stream.on("error", () => undefined);
    stream.end();
    stream.destroy();
    await client.close();
    return { changed, gone, isReset, resumeToken: token };
  };
