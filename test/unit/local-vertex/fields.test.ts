import { describe, expect, it } from "vitest";
import {
  checkEtag,
  checkLabels,
  checkMask,
  etagOf,
  parseOrder,
} from "../../../infra/local/vertex/fields.js";
import { jsonOfMessage, timestampOf, valueOf } from "../../../infra/local/vertex/messages.js";
import { page } from "../../../infra/local/vertex/paging.js";

describe("labels", () => {
  it.each([[{ A: "x" }], [{ a: "X" }], [{ "1a": "x" }], [{ a: "x".repeat(64) }], [{ "a b": "x" }]])(
    "refuse %j",
    (labels) => {
      expect(() => {
        checkLabels(labels);
      }).toThrow(/Invalid label/);
    },
  );

  it("take lower case, digits, hyphens and foreign letters", () => {
    expect(() => {
      checkLabels({ "run-1": "a_b-3", größe: "ß", empty: "" });
    }).not.toThrow();
  });
});

describe("an etag", () => {
  it("is required to be the current one when it is given", () => {
    expect(() => {
      checkEtag("endpoints/a", 3, undefined);
      checkEtag("endpoints/a", 3, "");
      checkEtag("endpoints/a", 3, etagOf("endpoints/a", 3));
    }).not.toThrow();
    expect(() => {
      checkEtag("endpoints/a", 3, etagOf("endpoints/a", 2));
    }).toThrow(/does not match/);
  });
});

describe("an update mask", () => {
  it("is read in both spellings and refuses other fields", () => {
    const allowed = ["display_name", "labels"];
    expect(checkMask({ paths: ["displayName"] }, allowed)).toEqual(new Set(["display_name"]));
    expect(() => checkMask({ paths: [] }, allowed)).toThrow(/required/);
    expect(() => checkMask(undefined, allowed)).toThrow(/required/);
    expect(() => checkMask({ paths: ["name"] }, allowed)).toThrow(/cannot be updated/);
  });
});

describe("lists", () => {
  const items = [
    { displayName: "b", createMs: 1, updateMs: 1 },
    { displayName: "a", createMs: 2, updateMs: 2 },
  ];

  it("are ordered, newest first by default", () => {
    const names = (orderBy?: string): string =>
      items
        .toSorted(parseOrder(orderBy))
        .map(({ displayName }) => displayName)
        .join("");
    expect(names()).toBe("ab");
    expect(names("create_time")).toBe("ba");
    expect(names("displayName desc, create_time")).toBe("ba");
    expect(() => names("size")).toThrow(/order_by/);
  });

  it("are paged by tokens that only a list has given", () => {
    const first = page([1, 2, 3], { pageSize: 2 }, 10);
    expect(first.items).toEqual([1, 2]);
    const token = first.nextPageToken ?? "";
    expect(page([1, 2, 3], { pageSize: 2, pageToken: token }, 10)).toEqual({ items: [3] });
    expect(() => page([1], { pageToken: "zzz" }, 10)).toThrow(/page token/);
    expect(() => page([1], { pageSize: -1 }, 10)).toThrow(/negative/);
  });
});

describe("messages as JSON", () => {
  it("write times, values and bytes as protobuf's JSON does", () => {
    expect(
      jsonOfMessage({
        createTime: timestampOf(1_700_000_000_123),
        metadata: valueOf({ a: [1, "x", null, true] }),
        data: Buffer.from("hi"),
        list: [{ name: "n" }],
      }),
    ).toEqual({
      createTime: "2023-11-14T22:13:20.123Z",
      metadata: { a: [1, "x", null, true] },
      data: "aGk=",
      list: [{ name: "n" }],
    });
  });
});
