/**
 * Google's clients without what our functions never use. The clients' own code stays as published; only data that they
 * read while loading is made smaller: descriptors of other services, static message classes, a Unicode table.
 */
import { readFileSync } from "node:fs";
import { sep } from "node:path";
import type { Plugin } from "esbuild";
import { pruneDescriptors } from "./descriptors.js";

/** JSON descriptors, the one service that is called through them, and its methods that the client is asked for. */
const pruned: Readonly<
  Record<string, { readonly service: string; readonly methods: readonly string[] }>
> = {
  "@google-cloud/firestore/build/protos/v1.json": {
    service: "google.firestore.v1.Firestore",
    methods: [
      "BatchGetDocuments",
      "BatchWrite",
      "BeginTransaction",
      "Commit",
      "ListCollectionIds",
      "ListDocuments",
      "Rollback",
      "RunAggregationQuery",
      "RunQuery",
    ],
  },
};

/** Modules of which nothing is used here: other services' messages, other languages' error texts, Asian code pages. */
const emptied: readonly string[] = [
  "zod/v4/locales/index.js",
  "iconv-lite/encodings/dbcs-data.js",
  "google-gax/build/protos/operations.js",
  "google-gax/build/protos/iam_service.js",
  "google-gax/build/protos/locations.js",
  "google-gax/build/protos/compute_operations.js",
  "@google-cloud/firestore/build/protos/firestore_v1_proto_api.js",
  "@google-cloud/firestore/build/protos/firestore_v1beta1_proto_api.js",
  "@google-cloud/firestore/build/protos/firestore_admin_v1_proto_api.js",
];

/** The client of locations, which every client makes for itself and nobody here asks. */
const rewritten: Readonly<Record<string, string>> = {
  "google-gax/build/src/locationService.js":
    "exports.LocationsClient = class LocationsClient { close() {} };",
};

/** Node has URL itself; the package brings a Unicode table of 260 kB. */
const inNode: Readonly<Record<string, string>> = { "whatwg-url": "node:url" };

/** firebase-admin hands on the exports of Google's own Firestore client; this is where it does so. */
const firebaseFirestore = {
  importer: "firebase-admin/lib/esm/firestore/index.js",
  path: "../../firestore/index.js",
  source: "@google-cloud/firestore",
} as const;

const escaped = (text: string): string => text.replaceAll(/[.*+?^${}()|[\]\\/]/g, String.raw`\$&`);

const endsWithAny = (paths: readonly string[]): RegExp =>
  new RegExp(`node_modules/(?:${paths.map(escaped).join("|")})$`);

const packagePath = (path: string): string =>
  path.split(sep).join("/").split("node_modules/").at(-1) ?? path;

/** The plugin. */
export const leanClients: Plugin = {
  name: "lean-clients",
  setup: (build) => {
    build.onLoad({ filter: endsWithAny(Object.keys(pruned)) }, ({ path }) => {
      const { service = "", methods = [] } = pruned[packagePath(path)] ?? {};
      const contents = pruneDescriptors(readFileSync(path, "utf8"), service, methods);
      return { contents, loader: "json" };
    });
    build.onLoad({ filter: endsWithAny(Object.keys(rewritten)) }, ({ path }) => ({
      contents: rewritten[packagePath(path)] ?? "",
    }));
    build.onLoad({ filter: endsWithAny(emptied) }, () => ({ contents: "" }));
    build.onResolve(
      { filter: new RegExp(`^(?:${Object.keys(inNode).map(escaped).join("|")})$`) },
      ({ path }) => ({
        path: inNode[path] ?? path,
        external: true,
      }),
    );
    build.onResolve(
      { filter: new RegExp(`^${escaped(firebaseFirestore.path)}$`) },
      ({ importer, kind, resolveDir }) =>
        packagePath(importer) === firebaseFirestore.importer
          ? build.resolve(firebaseFirestore.source, { kind, resolveDir })
          : undefined,
    );
  },
};
