/** google.iam.v1.IAMPolicy of topics and subscriptions: policies are kept and shown, not enforced. */
import { createHash } from "node:crypto";
import { RpcError, type ServiceImplementation } from "../protocol/service.js";
import type { Engine } from "./engine.js";
import { notFound, type Names } from "./names.js";

interface Binding {
  readonly role?: string;
  readonly members?: readonly string[];
  readonly condition?: object;
}
interface Policy {
  readonly version?: number;
  readonly bindings?: readonly Binding[];
  readonly etag?: Buffer;
}
interface Request {
  readonly resource?: string;
  readonly policy?: Policy;
  readonly permissions?: readonly string[];
}

const pattern = /^projects\/[^/]+\/(topics|subscriptions|snapshots|schemas)\/[^/]+$/;

const noPolicyEtag = Buffer.from([0, 0x20, 1]);

const etagOf = (bindings: readonly Binding[]): Buffer =>
  createHash("sha1").update(JSON.stringify(bindings)).digest().subarray(0, 8);

/** Policies of Pub/Sub's resources. */
export function iamService(engine: Engine, names: Names): ServiceImplementation {
  const existing = (resource: string | undefined): string => {
    const kind = pattern.exec(resource ?? "")?.[1];
    if (kind === "topics") return engine.topic(names.resource("topics", resource)).name;
    if (kind === "subscriptions") {
      return engine.subscription(names.resource("subscriptions", resource)).name;
    }
    if (kind === "snapshots") return engine.snapshot(names.resource("snapshots", resource)).name;
    if (kind === "schemas") return engine.schemas.find(names.resource("schemas", resource)).name;
    throw notFound(resource ?? "");
  };
  const stored = (resource: string): Policy => {
    const found = engine.policy(resource) as { readonly bindings: readonly Binding[] } | undefined;
    // A policy that nobody set has version 0 and no bindings, and the etag that stands for it.
    if (found === undefined) return { etag: noPolicyEtag };
    return { version: 1, bindings: found.bindings, etag: etagOf(found.bindings) };
  };
  return {
    service: "google.iam.v1.IAMPolicy",
    owns: (request) => typeof request["resource"] === "string" && pattern.test(request["resource"]),
    unary: {
      GetIamPolicy: ({ resource }: Request) => stored(existing(resource)),
      SetIamPolicy: ({ resource, policy }: Request) => {
        const name = existing(resource);
        const etag = policy?.etag;
        if (
          etag !== undefined &&
          etag.length > 0 &&
          !etag.equals(stored(name).etag ?? Buffer.alloc(0))
        ) {
          throw new RpcError(
            "ABORTED",
            "There were concurrent policy changes. Please retry the whole read-modify-write with exponential backoff.",
          );
        }
        engine.putPolicy(name, { bindings: policy?.bindings ?? [] });
        return stored(name);
      },
      // Nothing is enforced here, so every permission is held.
      TestIamPermissions: ({ resource, permissions }: Request) => {
        existing(resource);
        return { permissions: permissions ?? [] };
      },
    },
  };
}
