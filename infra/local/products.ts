/** The products of the local cloud and how they are put together. */
import type { CloudContext, CloudProduct, CloudServices } from "./cloud.js";
import type { TokenSigner } from "./identity.js";
import { RpcError } from "./protocol/service.js";

/** A product by its folder. */
export const productNames = [
  "pubsub",
  "scheduler",
  "firestore",
  "storage",
  "logging",
  "monitoring",
  "vertex",
] as const;

/** One of the products. */
export type ProductName = (typeof productNames)[number];

type Faces = { -readonly [Name in keyof CloudServices]?: CloudServices[Name] };

const missing = (name: string): RpcError =>
  new RpcError("UNIMPLEMENTED", `This local cloud was started without ${name}.`);

/** The services' faces, found at call time; a product that was not started refuses. */
export function facesOf(faces: Faces): CloudServices {
  const get = <Name extends keyof CloudServices>(name: Name): CloudServices[Name] => {
    const face: Faces[Name] = faces[name];
    if (face === undefined) throw missing(name);
    return face;
  };
  return {
    pubsub: { publish: async (topic, messages) => get("pubsub").publish(topic, messages) },
    storage: {
      read: async (bucket, name) => get("storage").read(bucket, name),
      open: async (bucket, name) => get("storage").open(bucket, name),
      write: async (bucket, name, body, contentType) => {
        await get("storage").write(bucket, name, body, contentType);
      },
      list: async (bucket, prefix) => get("storage").list(bucket, prefix),
    },
    logging: {
      write: async (entries) => {
        await get("logging").write(entries);
      },
    },
    monitoring: {
      write: (points) => {
        get("monitoring").write(points);
      },
    },
  };
}

type Product = CloudProduct & { readonly face?: unknown };
type Maker = (context: CloudContext, tokens: TokenSigner) => Product;

/** Each product is loaded only when it is wanted: a test of one does not pay for the others. */
const makers: Readonly<Record<ProductName, () => Promise<Maker>>> = {
  pubsub: async () => (await import("./pubsub/product.js")).pubsubProduct,
  scheduler: async () => (await import("./scheduler/product.js")).schedulerProduct,
  firestore: async () => (await import("./firestore/product.js")).firestoreProduct,
  storage: async () => (await import("./storage/product.js")).storageProduct,
  logging: async () => (await import("./logging/product.js")).loggingProduct,
  monitoring: async () => (await import("./monitoring/product.js")).monitoringProduct,
  vertex: async () => (await import("./vertex/product.js")).vertexProduct,
};

/** Makes the wanted products, and fills in their faces. */
export async function makeProducts(
  wanted: readonly ProductName[],
  context: CloudContext,
  tokens: TokenSigner,
  faces: Faces,
): Promise<readonly CloudProduct[]> {
  const chosen = productNames.filter((name) => wanted.includes(name));
  const found = await Promise.all(
    chosen.map(async (name) => ({ name, make: await makers[name]() })),
  );
  return found.map(({ name, make }) => {
    const product = make(context, tokens);
    Object.assign(faces, { [name]: product.face });
    return product;
  });
}
