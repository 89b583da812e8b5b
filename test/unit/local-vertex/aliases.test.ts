import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { mergeAliases, parseAliases } from "../../../infra/local/vertex/models/aliases.js";

const sets = (added: readonly string[], removed: readonly string[] = []) => ({
  added: new Set(added),
  removed: new Set(removed),
});

describe("version aliases", () => {
  it("are added and taken away by a leading hyphen, and cancel each other out", () => {
    expect(parseAliases(["champion", "-old", "both", "-both"])).toEqual(
      sets(["champion"], ["old"]),
    );
    expect(parseAliases(["-default", "default"])).toEqual(sets([]));
  });

  it.each([[["-default"]], [["A1"]], [["a"]], [["1a"]], [["a-"]], [["a".repeat(129)]], [[""]]])(
    "refuse %j",
    (texts) => {
      expect(() => parseAliases(texts)).toThrow(/alias/i);
    },
  );

  it("move to the version that they are given, and unaffected versions are not written", () => {
    const versions = [
      { versionId: "1", aliases: ["champion", "default"] },
      { versionId: "2", aliases: ["challenger"] },
      { versionId: "3", aliases: [] },
    ];
    expect(mergeAliases(versions, "2", sets(["champion"], ["challenger"]))).toEqual([
      { versionId: "1", aliases: ["default"] },
      { versionId: "2", aliases: ["champion"] },
    ]);
    expect(mergeAliases(versions, "1", sets(["champion"]))).toEqual([]);
  });

  it("belong to one version each whatever is merged, and one version is always the default", () => {
    const alias = fc.constantFrom("default", "champion", "challenger", "golden");
    const change = fc.record({
      versionId: fc.constantFrom("1", "2", "3"),
      texts: fc.array(fc.tuple(alias, fc.boolean()), { maxLength: 4 }),
    });
    fc.assert(
      fc.property(fc.array(change, { maxLength: 20 }), (changes) => {
        let versions = [
          { versionId: "1", aliases: ["default"] },
          { versionId: "2", aliases: [] as string[] },
          { versionId: "3", aliases: [] as string[] },
        ];
        for (const { versionId, texts } of changes) {
          const given = texts
            .filter(([name, isRemoved]) => !(isRemoved && name === "default"))
            .map(([name, isRemoved]) => (isRemoved ? `-${name}` : name));
          const changed = mergeAliases(versions, versionId, parseAliases(given));
          versions = versions.map(
            (version) => changed.find((other) => other.versionId === version.versionId) ?? version,
          );
        }
        const all = versions.flatMap(({ aliases }) => aliases);
        expect(new Set(all).size).toBe(all.length);
        expect(all.filter((name) => name === "default")).toHaveLength(1);
      }),
    );
  });
});
