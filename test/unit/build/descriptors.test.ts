import { describe, expect, it } from "vitest";
import { pruneDescriptors } from "../../../infra/build/descriptors.js";

const file = JSON.stringify({
  nested: {
    shop: {
      nested: {
        Till: {
          options: { "(google.api.default_host)": "till.example.com" },
          methods: {
            Pay: {
              requestType: "PayRequest",
              responseType: ".shop.Receipt",
              options: { "(x)": 1 },
            },
            Refund: { requestType: "RefundRequest", responseType: "Receipt" },
          },
        },
        PayRequest: {
          fields: {
            coins: { rule: "repeated", type: "int32", id: 1, options: { packed: false, "(y)": 2 } },
            kind: { type: "Kind", id: 2 },
          },
          nested: { Kind: { values: { CASH: 0 } }, Unused: { fields: {} } },
        },
        Receipt: { fields: { lines: { keyType: "string", type: "Line", id: 1 } } },
        Line: { fields: { next: { type: "Line", id: 1 } } },
        RefundRequest: { fields: {} },
        Other: { methods: { Ask: { requestType: "RefundRequest", responseType: "Receipt" } } },
      },
    },
  },
});

describe("pruned descriptors", () => {
  it("hold the wanted methods of one service with everything that these send and answer", () => {
    expect(JSON.parse(pruneDescriptors(file, "shop.Till", ["Pay"]))).toEqual({
      nested: {
        shop: {
          nested: {
            Till: {
              methods: { Pay: { requestType: "PayRequest", responseType: ".shop.Receipt" } },
            },
            PayRequest: {
              fields: {
                coins: { rule: "repeated", type: "int32", id: 1, options: { packed: false } },
                kind: { type: "Kind", id: 2 },
              },
              nested: { Kind: { values: { CASH: 0 } } },
            },
            Receipt: { fields: { lines: { keyType: "string", type: "Line", id: 1 } } },
            Line: { fields: { next: { type: "Line", id: 1 } } },
          },
        },
      },
    });
  });

  it("refuse a method that the service does not have, so that a newer client is noticed", () => {
    expect(() => pruneDescriptors(file, "shop.Till", ["Pay", "Tip"])).toThrow("no method Tip");
  });
});
