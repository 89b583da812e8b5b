/** The packages inside a function's bundle, as a CycloneDX list: scanners of images find none in bundled code themselves. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { Metafile } from "esbuild";
import { z } from "zod";

const packageFile = z.object({
  name: z.string(),
  version: z.string(),
  license: z.string().optional().catch(undefined),
});

/** Folder of the package that a bundled file comes from; null for code of ours. */
const packageFolder = (path: string): string | null =>
  /^node_modules\/(?:.*\/node_modules\/)?(?:@[^/]+\/)?[^/]+(?=\/)/.exec(path)?.[0] ?? null;

/** Files of which something is in the bundle. */
const bundledFiles = ({ outputs }: Metafile): readonly string[] =>
  Object.values(outputs).flatMap(({ inputs }) =>
    Object.entries(inputs).flatMap(([path, { bytesInOutput }]) =>
      bytesInOutput > 0 ? [path] : [],
    ),
  );

const componentOf = (root: string, folder: string) => {
  const text = readFileSync(join(root, folder, "package.json"), "utf8");
  const { name, version, license } = packageFile.parse(JSON.parse(text));
  const purl = `pkg:npm/${name.replace("@", "%40")}@${version}`;
  return {
    type: "library",
    "bom-ref": purl,
    name,
    version,
    purl,
    ...(license === undefined ? {} : { licenses: [{ expression: license }] }),
  };
};

/** The list of one bundle; the same commit gives the same text, so it carries neither a time nor a serial number. */
export const bundleSbom = (root: string, name: string, metafile: Metafile): string => {
  const folders = new Set(bundledFiles(metafile).flatMap((path) => packageFolder(path) ?? []));
  const components = new Map(
    [...folders].map((folder) => {
      const component = componentOf(root, folder);
      return [component.purl, component];
    }),
  );
  const sbom = {
    bomFormat: "CycloneDX",
    specVersion: "1.5",
    version: 1,
    metadata: { component: { type: "application", "bom-ref": name, name } },
    components: [...components.values()].toSorted((a, b) => (a.purl < b.purl ? -1 : 1)),
  };
  return `${JSON.stringify(sbom, null, 2)}\n`;
};
