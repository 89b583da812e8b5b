/**
 * Google's clients without what our functions never use. The clients' own code stays as published; only data that they
 * read while loading is made smaller: descriptors of other services, static message classes, a Unicode table.
 */
import { readFileSync } from "node:fs";
import { sep } from "node:path";
import type { Plugin } from "esbuild";
import { pruneDescriptors } from "./descriptors.js";

/** JSON descriptors and the one service that is called through them. */
const pruned: Readonly<Record<string, string>> = {
  "@google-cloud/firestore/build/protos/v1.json": "google.firestore.v1.Firestore",
  "google-gax/build/protos/locations.json": "google.cloud.location.Locations",
};

/** Modules that only other services' clients use: present, and empty. */
const emptied: readonly string[] = [
  "google-gax/build/protos/iam_service.js",
  "google-gax/build/protos/locations.js",
  "google-gax/build/protos/compute_operations.js",
  "@google-cloud/firestore/build/protos/firestore_v1_proto_api.js",
  "@google-cloud/firestore/build/protos/firestore_v1beta1_proto_api.js",
  "@google-cloud/firestore/build/protos/firestore_admin_v1_proto_api.js",
];

/** Modules of which another does the same: firebase-admin hands on Firestore's own exports; Node has URL itself. */
const replaced: Readonly<Record<string, string>> = {
  "firebase-admin/firestore": "@google-cloud/firestore",
  "whatwg-url": "node:url",
};

const escaped = (text: string): string => text.replaceAll(/[.*+?^${}()|[\]\\/]/g, String.raw`\$&`);

const endsWithAny = (paths: readonly string[]): RegExp =>
  new RegExp(`node_modules/(?:${paths.map(escaped).join("|")})$`);

const packagePath = (path: string): string =>
  path.split(sep).join("/").split("node_modules/").at(-1) ?? path;

/** The plugin. */
export const leanClients: Plugin = {
  name: "lean-clients",
  setup: (build) => {
    build.onLoad({ filter: endsWithAny(Object.keys(pruned)) }, ({ path }) => ({
      contents: pruneDescriptors(readFileSync(path, "utf8"), pruned[packagePath(path)] ?? ""),
      loader: "json",
    }));
    build.onLoad({ filter: endsWithAny(emptied) }, () => ({ contents: "module.exports = {};" }));
    const names = Object.keys(replaced).map(escaped).join("|");
    build.onResolve({ filter: new RegExp(`^(?:${names})$`) }, ({ path, kind, resolveDir }) => {
      const other = replaced[path] ?? path;
      return other.startsWith("node:")
        ? { path: other, external: true }
        : build.resolve(other, { kind, resolveDir });
    });
  },
};
