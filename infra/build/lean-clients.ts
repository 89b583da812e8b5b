/**
 * Google's clients without what our functions never use. The clients' own code stays as published; only data that they
 * read while loading is made smaller: descriptors of other services, static message classes, a Unicode table.
 */
import { readFileSync } from "node:fs";
import { sep } from "node:path";
import type { Plugin } from "esbuild";
import { z } from "zod";
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

/** Modules of which nothing is used here: other services' clients and messages, gRPC's server, error texts and code pages. */
const emptied: readonly string[] = [
  "zod/v4/locales/index.js",
  "iconv-lite/encodings/dbcs-data.js",
  "@grpc/grpc-js/build/src/server.js",
  "@grpc/grpc-js/build/src/server-interceptors.js",
  "google-gax/build/src/iamService.js",
  "google-gax/build/src/operationsClient.js",
  "google-gax/build/protos/operations.js",
  "google-gax/build/protos/iam_service.js",
  "google-gax/build/protos/locations.js",
  "google-gax/build/protos/compute_operations.js",
  "@google-cloud/firestore/build/src/v1/firestore_admin_client.js",
  "@google-cloud/firestore/build/src/v1beta1/index.js",
  "@google-cloud/firestore/build/protos/firestore_v1_proto_api.js",
  "@google-cloud/firestore/build/protos/firestore_v1beta1_proto_api.js",
  "@google-cloud/firestore/build/protos/firestore_admin_v1_proto_api.js",
];

/** The client of locations, which every client makes for itself and nobody here asks. */
const rewritten: Readonly<Record<string, string>> = {
  "google-gax/build/src/locationService.js":
    "exports.LocationsClient = class LocationsClient { close() {} };",
};

const escaped = (text: string): string => text.replaceAll(/[.*+?^${}()|[\]\\/]/g, String.raw`\$&`);

const endsWithAny = (paths: readonly string[]): RegExp =>
  new RegExp(`node_modules/(?:${paths.map(escaped).join("|")})$`);

const packagePath = (path: string): string =>
  path.split(sep).join("/").split("node_modules/").at(-1) ?? path;

/** Places of the clients' code that cost time at the start and do nothing for us; each must be there, or the build fails. */
const edited: Readonly<Record<string, readonly (readonly [string, string])[]>> = {
  // Without WebAssembly, whose start takes longer than all of its arithmetic here, the package uses its own JavaScript.
  "long/umd/index.js": [
    ["wasm = new WebAssembly.Instance(", "if (false) wasm = new WebAssembly.Instance("],
  ],
  // Every message described once more as a message: what only a server's reflection asks for.
  "@grpc/proto-loader/build/src/index.js": [
    ['const descriptor = require("protobufjs/ext/descriptor");', "const descriptor = {};"],
    ["const messageDescriptor = message.toDescriptor('proto3');", ""],
    ["type: messageDescriptor.$type.toObject(messageDescriptor, descriptorOptions)", "type: {}"],
    ["const enumDescriptor = enumType.toDescriptor('proto3');", ""],
    ["type: enumDescriptor.$type.toObject(enumDescriptor, descriptorOptions)", "type: {}"],
    ["const descriptorList = root.toDescriptor('proto3').file;", "const descriptorList = [];"],
  ],
};

const withEdits = (path: string): string =>
  (edited[packagePath(path)] ?? []).reduce(
    (text, [from, to]) => {
      if (!text.includes(from))
        throw new Error(`${path} has no "${from}" any more: look at lean-clients.ts`);
      return text.replace(from, to);
    },
    readFileSync(path, "utf8"),
  );

/** The types that a function answers with, of some two thousand. */
const mediaTypes = {
  path: "mime-db/db.json",
  kept: /^(?:text|image|font)\/|^application\/(?:json|javascript|octet-stream|x-www-form-urlencoded|problem\+json|pdf|xml|zip|gzip|wasm)$/,
} as const;

/** Node has URL itself; the package brings a Unicode table of 260 kB. */
const inNode: Readonly<Record<string, string>> = { "whatwg-url": "node:url" };

/** firebase-admin hands on the exports of Google's own Firestore client; this is where it does so. */
const firebaseFirestore = {
  importer: "firebase-admin/lib/esm/firestore/index.js",
  path: "../../firestore/index.js",
  source: "@google-cloud/firestore",
} as const;

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
    build.onLoad({ filter: endsWithAny(Object.keys(edited)) }, ({ path }) => ({
      contents: withEdits(path),
    }));
    build.onLoad({ filter: endsWithAny([mediaTypes.path]) }, ({ path }) => {
      const all = z.record(z.string(), z.unknown()).parse(JSON.parse(readFileSync(path, "utf8")));
      const kept = Object.entries(all).filter(([name]) => mediaTypes.kept.test(name));
      return { contents: JSON.stringify(Object.fromEntries(kept)), loader: "json" };
    });
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
